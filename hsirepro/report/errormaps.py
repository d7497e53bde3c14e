"""Where and at which wavelengths each method errs: error maps, and accuracy by band.

Both are drawn from records, so a figure of twelve methods costs none of their runs. A record holds
its maps as whole grey levels; what one level stands for is part of what a record is, and is stated
here as in the code that writes it.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.records import Record, RecordKey
from hsirepro.report.figures import LINES, MAP_PERCENTILE, MARKERS
from hsirepro.report.runs import ANGLES
from hsirepro.report.style import (
    GAP_STEPS,
    MAP,
    WIDTH,
    book_style,
    new_figure,
    palette,
    spectrum_with_gaps,
)

RMSE_LEVEL = 1e-4
"""One grey level of ``rmse_colour``, as a share of the scene's maximum."""
MRAE_LEVEL = 1e-3
"""One grey level of ``mrae`` and of the maps of sums of abundances, unitless."""
SAM_LEVEL = 0.01
"""One grey level of ``sam_centidegrees``, in degrees."""

PAGE = 9.0  # inches: of what is taller, half the methods stand in a second block on the right
COVERED = 0.01  # of the largest weight of an MSI band: below it, the band sees next to nothing
SHADE = "0.88"
# Pink and yellow are too pale for thin lines on white, and grey is the shading. Seven colours have
# no divisor in common with four dashes and eight markers: lines of one colour differ in both.
LINE_COLOURS = (0, 1, 2, 3, 4, 5, 9)

Names = Mapping[str, str | None]


class ErrorMap(NamedTuple):
    """A column of the figure: a picture of a record, and how it is read."""

    picture: str
    level: float
    title: str
    label: str
    mean: str


MAPS = (
    ErrorMap("rmse_colour", RMSE_LEVEL, "RMSE of colours", "Share of scene\nmaximum", "{:.4f}"),
    ErrorMap("mrae", MRAE_LEVEL, "MRAE", "Relative error\n(unitless)", "{:.3f}"),
    ErrorMap(ANGLES, SAM_LEVEL, "SAM", "Spectral angle\n(degrees)", "{:.2f}°"),
)


@book_style
def plot_error_maps(records: Sequence[Record], names: Names | None = None) -> Figure:
    """Draw the fused image of every method, and three maps of its errors.

    A map has one colour scale for all methods, from zero to the 99th percentile over all of them,
    so that colours can be compared down a column. The mean of a map stands above it.

    Parameters
    ----------
    records : sequence of Record
        Of one scene and condition, with the pictures ``false_colour``, ``rmse_colour``
        (:data:`RMSE_LEVEL` a level), ``mrae`` (:data:`MRAE_LEVEL`) and ``sam_centidegrees``
        (:data:`SAM_LEVEL`). A few stand below each other, more in two blocks.
    names : mapping of str to (str or None), optional
        Our method name to the one to show; where it is missing or ``None``, our own.

    Returns
    -------
    matplotlib.figure.Figure
        Per method, from left to right: false colour; RMSE of the three bands of that image, as a
        share of the scene's maximum; MRAE of the cube; spectral angle (SAM) of the cube.

    Raises
    ------
    ParameterError
        If there are no records, if they mix scenes or conditions, or if one has no
        pictures.
    """
    check_comparable(records)
    wanted = ["false_colour", *(one.picture for one in MAPS)]
    for record in records:
        require(record, "images", wanted, "pictures of errors")
    blocks = 1 if _height(records, 1) <= PAGE else 2
    rows = math.ceil(len(records) / blocks)
    figure = new_figure(_height(records, blocks))
    # A row of colour bars below, and a narrow column of nothing between the blocks.
    heights, widths = [1] * rows + [0.05], (([1] * 4 + [0.08]) * blocks)[:-1]
    grid = figure.subplots(
        rows + 1, len(widths), squeeze=False, height_ratios=heights, width_ratios=widths
    )
    for axes in grid.flat:
        axes.set_axis_off()
    norms = [_norm(records, one) for one in MAPS]
    for place, (record, label) in enumerate(zip(records, labels_of(records, names), strict=True)):
        block, row = divmod(place, rows)
        _draw_maps(grid[row, 5 * block : 5 * block + 4], record, label, norms)
    for block in range(blocks):
        part = grid[:, 5 * block : 5 * block + 4]
        _name_columns(part[0])
        _draw_bars(figure, part[-1, 1:], norms, ticks=4 - blocks)
    return figure


@book_style
def plot_psnr_by_band(
    records: Sequence[Record], names: Names | None = None, highlight: str | None = None
) -> Figure:
    """Draw the PSNR of every band against its wavelength, over the reach of the MSI bands.

    Parameters
    ----------
    records : sequence of Record
        Of one scene and condition, with the arrays ``psnr_by_band`` (dB),
        ``wavelength`` (nm) and ``true_srf`` (MSI bands, bands).
    names : mapping of str to (str or None), optional
        As in :func:`plot_error_maps`.
    highlight : str, optional
        Our name of the method to draw in black; the last one by default.

    Returns
    -------
    matplotlib.figure.Figure
        Lines break where bands are missing. Grey: wavelengths at which an MSI band has more than
        1 % of its largest weight.

    Raises
    ------
    ParameterError
        If there are no records, if they mix scenes or conditions, if one has no PSNR by
        band, or if no record is of the method to highlight.
    ShapeError
        If a record does not have one PSNR per band.
    """
    check_comparable(records)
    methods = [record.key.method for record in records]
    chosen = methods[-1] if highlight is None else highlight
    if chosen not in methods:
        raise ParameterError(
            f"No record is of the method {chosen!r}.", next_step=suggest(chosen, methods)
        )
    for record in records:
        require(record, "arrays", ["psnr_by_band", "wavelength", "true_srf"], "PSNR by band")
        _check_bands(record)
    figure = new_figure(3.8)
    axes = figure.subplots()
    first = records[0].arrays
    for low, high in covered(first["wavelength"], first["true_srf"]):
        axes.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)
    for i, (record, label) in enumerate(zip(records, labels_of(records, names), strict=True)):
        line = spectrum_with_gaps(record.arrays["wavelength"], record.arrays["psnr_by_band"])
        look = line_look(i)
        if record.key.method == chosen:
            look = {"color": "black", "linewidth": 2.2, "zorder": 3}
        axes.plot(*line, label=label, **look)
    axes.set_xlabel("Wavelength (nm)")
    axes.set_ylabel("PSNR (dB)")
    handles, _ = axes.get_legend_handles_labels()
    handles.append(Patch(facecolor=SHADE, label="seen by the MSI"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), handlelength=3)
    return figure


def covered(wavelengths: np.ndarray, responses: np.ndarray) -> list[tuple[float, float]]:
    """Return the ranges of wavelength that the MSI bands see, in nm and in order.

    Parameters
    ----------
    wavelengths : ndarray, shape (L,)
        Band centres in nm, in any order.
    responses : ndarray, shape (l, L)
        Weight of each hyperspectral band in each MSI band.

    Returns
    -------
    list of (float, float)
        From half a band before the first band to half a band behind the last one. A range ends
        where bands are missing.

    Examples
    --------
    >>> covered(np.array([400, 410, 420, 430]), np.array([[0, 1, 0.5, 0.001]]))
    [(405.0, 425.0)]
    """
    order = np.argsort(wavelengths, kind="stable")
    centres = np.asarray(wavelengths, dtype=float)[order]
    steps = np.diff(centres)
    step = float(np.median(steps)) if steps.size else 0.0
    largest = responses.max(axis=1, keepdims=True)
    seen = (responses > COVERED * largest).any(axis=0)[order]
    # A range ends at a band that is not seen, and at a hole in the spectrum.
    ends = ~(seen[:-1] & seen[1:]) | (steps > GAP_STEPS * step)
    ranges = np.split(np.arange(len(centres)), np.flatnonzero(ends) + 1)
    return [
        (float(centres[part[0]] - step / 2), float(centres[part[-1]] + step / 2))
        for part in ranges
        if seen[part[0]]
    ]


def line_look(i: int) -> dict[str, Any]:
    """Return colour, dashes and marker of line ``i``; those of 28 lines are all different."""
    return {
        "color": palette()[LINE_COLOURS[i % len(LINE_COLOURS)]],
        "linestyle": LINES[i % len(LINES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markersize": 4,
        # Markers of lines that lie on each other stand beside each other.
        "markevery": (0.03 * (i % 7), 0.21),
        "linewidth": 1.2,
    }


def labels_of(records: Sequence[Record], names: Names | None) -> list[str]:
    """Return what to call each record: its method, and what else tells it from the others.

    That is its seed where a method occurs twice, and its profile where it is not that of most:
    shorter runs may stand beside the paper's, but never unnamed.
    """
    methods = [record.key.method for record in records]
    profiles = Counter(record.key.profile for record in records)
    usual = profiles.most_common(1)[0][0]
    return [
        ((names or {}).get(key.method) or key.method)
        + (f", seed {key.seed}" if methods.count(key.method) > 1 else "")
        + (f" ({key.profile})" if key.profile != usual else "")
        for key in (record.key for record in records)
    ]


def check_comparable(records: Sequence[Record]) -> None:
    """Raise :class:`ParameterError` unless the records are of one scene, degraded in one way."""
    if not records:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    places = {(r.key.paper, r.key.scene, r.key.condition) for r in records}
    if len(places) > 1:
        raise ParameterError(
            f"Methods are compared on one scene and condition, these are {len(places)}.",
            given="; ".join(", ".join(place) for place in sorted(places)),
            next_step="give records of one of them",
        )


def require(record: Record, kind: str, wanted: Iterable[str], what: str) -> None:
    """Raise :class:`ParameterError` if a record lacks something that is to be drawn.

    Parameters
    ----------
    record : Record
    kind : {"images", "arrays", "curves"}
    wanted : iterable of str
        Names that it has to hold.
    what : str
        What they are, for the error.
    """
    absent = [name for name in wanted if name not in getattr(record, kind)]
    if absent:
        raise ParameterError(
            f"The record {record.key} holds no {what}.",
            missing=", ".join(absent),
            next_step=f"run its cell again: {command(record.key)}",
        )


def command(key: RecordKey) -> str:
    """Return the command that computes a cell afresh.

    Examples
    --------
    >>> command(RecordKey("hyconet", "II", "planted", "sigma=0.5", "gsa", "smoke", 0))
    'hsirepro run hyconet --table II --scene planted --condition sigma=0.5 --method gsa
    --profile smoke --seed 0 --again'
    """
    options = ("table", "scene", "condition", "method", "profile", "seed")
    given = " ".join(f"--{name} {shlex.quote(str(getattr(key, name)))}" for name in options)
    return f"hsirepro run {key.paper} {given} --again"


def _height(records: Sequence[Record], blocks: int) -> float:
    """Return how tall the figure is with its methods in one or two blocks, in inches."""
    rows, columns = records[0].images["mrae"].shape
    # The taller the scene the taller its panels, within what a page can hold.
    panel = WIDTH / (4 * blocks) * float(np.clip(rows / columns, 0.4, 2.0))
    return math.ceil(len(records) / blocks) * (panel + 0.1) + 0.8


def _draw_maps(row: np.ndarray, record: Record, label: str, norms: Sequence[Normalize]) -> None:
    """Draw false colour and error maps of one method beside each other."""
    row[0].imshow(record.images["false_colour"], interpolation="nearest")
    row[0].set_title(label, fontsize=7, fontweight="bold", loc="left", pad=3)
    for axes, one, norm in zip(row[1:], MAPS, norms, strict=True):
        values = record.images[one.picture] * one.level
        axes.imshow(values, MAP, norm, interpolation="nearest")
        axes.set_title("mean " + one.mean.format(values.mean()), fontsize=7, pad=3)


def _name_columns(row: np.ndarray) -> None:
    for axes, title in zip(row, ["False colour", *(one.title for one in MAPS)], strict=True):
        axes.annotate(
            title, (0.5, 1), (0, 17), "axes fraction", "offset points", ha="center", fontsize=8
        )


def _draw_bars(figure: Figure, row: np.ndarray, norms: Sequence[Normalize], ticks: int) -> None:
    for axes, one, norm in zip(row, MAPS, norms, strict=True):
        axes.set_axis_on()
        scale = ScalarMappable(norm, MAP)
        bar = figure.colorbar(scale, cax=axes, orientation="horizontal", extend="max")
        bar.locator = MaxNLocator(ticks)
        bar.set_label(one.label, fontsize=7)
        axes.tick_params(labelsize=7)


def _norm(records: Sequence[Record], one: ErrorMap) -> Normalize:
    """Return the scale of a map for all records; maps without errors are drawn as such."""
    levels = np.concatenate([record.images[one.picture].ravel() for record in records])
    return Normalize(0, max(float(np.percentile(levels, MAP_PERCENTILE)), 1.0) * one.level)


def _check_bands(record: Record) -> None:
    shapes = {name: record.arrays[name].shape for name in ("psnr_by_band", "wavelength")}
    bands = record.arrays["true_srf"].shape[-1:]
    if set(shapes.values()) != {bands}:
        raise ShapeError(
            f"The record {record.key} does not have one PSNR per band.",
            **{name: str(shape) for name, shape in shapes.items()},
            true_srf=str(record.arrays["true_srf"].shape),
        )
