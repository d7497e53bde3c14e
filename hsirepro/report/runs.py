"""Show records as they are: the numbers and pictures of runs, without a paper beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hsirepro.errors import ParameterError
from hsirepro.metrics import PRESETS
from hsirepro.records import Record
from hsirepro.report import render
from hsirepro.report.checks import require
from hsirepro.report.provenance import provenance_line
from hsirepro.report.style import MAP, book_style, new_figure, room_for_titles

ARROWS = {"higher": "↑", "lower": "↓"}
ANGLES = "sam_centidegrees"  # the picture of spectral angles in a record, 0.01 degree a level


@dataclass(frozen=True)
class RunTable:
    """Records of one scene as rows; shows as HTML in a notebook and as Markdown in a terminal."""

    caption: str
    layout: render.Layout

    def _repr_html_(self) -> str:
        return render.html(self.layout)

    def __repr__(self) -> str:
        return render.markdown(self.layout)


def run_table(
    records: Sequence[Record],
    caption: str = "",
    columns: Mapping[str, tuple[str, str]] | None = None,
) -> RunTable:
    """Set the metrics of records side by side, one row each.

    Parameters
    ----------
    records : sequence of Record
        Of one paper, scene and profile.
    caption : str
        By default, paper, scene, condition and profile.
    columns : mapping of str to (unit, better), optional
        Metrics to show; those of the paper's preset by default. A record that lacks one has a
        dash.

    Returns
    -------
    RunTable
        With units, the better direction, the wall time in s, and the provenance line.

    Raises
    ------
    ParameterError
        If there are no records, or they mix papers, scenes, conditions or profiles.
    """
    places = {(r.key.paper, r.key.scene, r.key.condition, r.key.profile) for r in records}
    if len(places) != 1:
        raise ParameterError(
            f"A table of runs shows one scene and profile, these are {len(places)}.",
            next_step="give records of one paper, scene, condition and profile",
        )
    paper, scene, condition, profile = places.pop()
    if columns is None:
        columns = {name: (m.unit, m.better) for name, m in PRESETS[paper].measures.items()}
    units = {"": "", "degree": " (°)"}
    head = [
        name + units.get(unit, f" ({unit})") + f" {ARROWS[better]}"
        for name, (unit, better) in columns.items()
    ]
    rows = [
        [
            record.key.method,
            str(record.key.seed),
            *(f"{record.metrics[n]:.3f}" if n in record.metrics else "—" for n in columns),
            f"{record.provenance['wall_time_s']:.1f}",
        ]
        for record in records
    ]
    title = caption or f"{scene}, {condition}, profile {profile}"
    layout = render.Layout(
        title,
        ["method", "seed", *head, "time (s)"],
        [("each run", rows)],
        [provenance_line(records)],
    )
    return RunTable(title, layout)


@book_style
def plot_recorded(records: Sequence[Record]) -> Figure:
    """Draw the pictures that records hold: false colour above, spectral angles below.

    Parameters
    ----------
    records : sequence of Record
        With the pictures ``false_colour`` and ``sam_centidegrees``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If a record has no pictures.
    """
    if not records:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    for record in records:
        require(record, "images", ["false_colour", ANGLES], "pictures")
    maps = [np.asarray(record.images[ANGLES], dtype=float) / 100 for record in records]
    norm = Normalize(0, max(float(np.percentile(maps, 99)), 0.01))
    figure = new_figure(7.5 * 2 / len(records) + 0.9)
    room_for_titles(figure)
    grid = figure.subplots(2, len(records), squeeze=False)
    for column, (record, angles) in enumerate(zip(records, maps, strict=True)):
        grid[0, column].imshow(record.images["false_colour"], interpolation="nearest")
        grid[0, column].set_title(record.key.method)
        grid[1, column].imshow(angles, norm=norm, cmap=MAP, interpolation="nearest")
        grid[1, column].set_title(f"mean {angles.mean():.2f}°")
    for axes in grid.flat:
        axes.set_axis_off()
    bar = figure.colorbar(
        ScalarMappable(norm, MAP), ax=grid, location="bottom", shrink=0.6, aspect=40, extend="max"
    )
    bar.set_label("Spectral angle to the reference (degrees)")
    return figure
