"""The table of every chapter: *paper | ours | difference | profile*.

What the paper prints comes from :func:`hsirepro.papers.published.published`, what we computed from
records. Four rules keep the table honest:

* ``ours`` shows ``paper`` and ``quick`` records, never ``smoke`` ones. What the reader's own build
  computed has a column of its own, under its own label.
* A difference is formed for the ``paper`` profile only.
* A scene that is not the paper's is called a stand-in, and the difference one between scenes.
* A number that does not exist is a dash, with a note on what would fill it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hsirepro.errors import ParameterError
from hsirepro.report import render
from hsirepro.report.comparison import Cells, Row, Sample, printed_rows

if TYPE_CHECKING:
    from hsirepro.records import Record

DASH = "—"
ARROWS = {"higher": "↑ higher is better", "lower": "↓ lower is better"}
UNITS = {"": "unitless", "degree": "degrees"}


@dataclass(frozen=True)
class Group:
    """The rows of one metric."""

    metric: str
    unit: str
    better: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, repr=False)
class ComparisonTable:
    """What :func:`comparison_table` returns; as the last line of a cell it shows itself."""

    caption: str
    stand_in: str | None
    build_label: str | None
    groups: tuple[Group, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per metric and method, numbers unrounded, NaN where there is none."""
        return pd.DataFrame([_flat(group, row) for group in self.groups for row in group.rows])

    def to_csv(self, file: str | Path) -> None:
        """Write :meth:`to_frame` to ``file``; every number reads back exactly."""
        self.to_frame().to_csv(file, index=False)

    def to_markdown(self) -> str:
        """Return the table as Markdown, its notes below it."""
        return render.markdown(self._layout())

    def to_latex(self) -> str:
        """Return the table as LaTeX, which needs the package booktabs."""
        return render.latex(self._layout())

    def _repr_html_(self) -> str:
        return render.html(self._layout())

    def __repr__(self) -> str:
        return self.to_markdown()

    def _layout(self) -> render.Layout:
        difference = "difference (between scenes)" if self.stand_in else "difference"
        header = ["method", "paper", "ours", difference, "profile"]
        header += [self.build_label] if self.build_label else []
        notes = render.Notes()
        bodies = [
            (_heading(group), _texts(group, notes, with_build=self.build_label is not None))
            for group in self.groups
        ]
        general = [self.stand_in] if self.stand_in else []
        general += _explanations(self)
        below = [" ".join(general)] if general else []
        return render.Layout(self.caption, header, bodies, [*below, *notes.texts()])


def comparison_table(
    *,
    paper: str,
    table: str,
    scene: str,
    condition: str,
    methods: Sequence[str],
    records: Iterable[Record],
    metrics: Sequence[str] = ("mPSNR", "mSAM", "ERGAS"),
    build: Iterable[Record] = (),
    published_names: Mapping[str, str | None] | None = None,
    published_condition: str | None = None,
    scene_title: str | None = None,
    dataset: str | None = None,
    recorded_in: str | None = None,
) -> ComparisonTable:
    """Set our records beside a table of a paper.

    Parameters
    ----------
    paper, table : str
        Name of the paper and its table, such as ``"hyconet"`` and ``"V"``.
    scene, condition : str
        Which of our records to show, such as ``"houston-2018-crop"`` and ``"sigma=0.5"``.
    methods : sequence of str
        Rows, in this order: our names, or the paper's for methods that only the paper has.
    records : iterable of Record
        What was recorded. Those of other tables, scenes and conditions, and ``smoke`` ones, are
        left out; of a method with records of both profiles, the ``paper`` ones are shown.
    metrics : sequence of str
        Metrics, by the names of the paper's table; records use the same names.
    build : iterable of Record
        What the reader's build computed: one profile, one scene, one condition.
    published_names : mapping of str to (str or None), optional
        Our method name to the paper's; ``None`` for a method that is not in the paper.
    published_condition : str, optional
        The paper's name of ``condition``, where it differs.
    scene_title : str, optional
        How the notes call a stand-in scene, with its size; ``scene`` by default.
    dataset : str, optional
        The paper's scene to compare with, where the table has several.
    recorded_in : str, optional
        The table that our records are kept under, where it is not ``table``.

    Returns
    -------
    ComparisonTable

    Raises
    ------
    ParameterError
        If the paper has no such table, condition or metric, if a method is unknown, if a record
        is given twice, or if ``build`` mixes runs.
    """
    printed = printed_rows(paper, table, published_condition or condition, metrics, dataset)
    dataset = str(printed.dataset.iloc[0])
    place = (paper, recorded_in or table, scene, condition)
    ours = [r for r in records if (r.key.paper, r.key.table, r.key.scene, r.key.condition) == place]
    cells = Cells(place, published_names or {}, printed, ours, list(build))
    cells.check(methods)
    groups = []
    for metric in metrics:
        first = printed[printed.metric == metric].iloc[0]
        rows = tuple(cells.row(method, metric) for method in methods)
        groups.append(Group(metric, str(first.unit), str(first.better), rows))
    caption, stand_in = f"{paper}, Table {table}: {dataset}, {condition}", None
    if scene != dataset:
        caption += f"; ours: {scene} (stand-in)"
        stand_in = f"Stand-in: {scene_title or scene}, not the paper's scene ({dataset})."
    return ComparisonTable(caption, stand_in, _build_label(cells), tuple(groups))


def _build_label(cells: Cells) -> str | None:
    runs = sorted({(r.key.profile, r.key.scene, r.key.condition) for r in cells.built})
    if not runs:
        return None
    if len(runs) > 1:
        raise ParameterError(
            "The column of this build shows one profile, scene and condition.",
            given="; ".join(", ".join(run) for run in runs),
            next_step="give the records of one run as build=",
        )
    profile, scene, condition = runs[0]
    apart = "" if condition == cells.place[3] else f", {condition}"
    return f"this build: {profile} ({scene} scene{apart})"


def _flat(group: Group, row: Row) -> dict[str, object]:
    flat: dict[str, object] = {
        "metric": group.metric,
        "unit": group.unit,
        "better": group.better,
        "method": row.method,
        "paper": row.paper,
        "difference": row.difference,
        "profile": row.profile,
    }
    for name, sample in (("ours", row.ours), ("build", row.build)):
        flat[f"{name}_mean"] = sample.mean if sample else None
        flat[f"{name}_spread"] = sample.spread if sample else None
        flat[f"{name}_n"] = sample.n if sample else 0
    return flat


def _heading(group: Group) -> str:
    return f"{group.metric} ({UNITS.get(group.unit, group.unit)}), {ARROWS[group.better]}"


def _texts(group: Group, notes: render.Notes, *, with_build: bool) -> list[list[str]]:
    decimals = _decimals(group)

    def cell(row: Row, column: str, value: float | Sample | None) -> str:
        if value is None:
            return notes.mark(DASH, row.notes.get(column))
        if isinstance(value, float):
            return f"{value:.{decimals}f}"
        spread = f" ± {value.spread:.{decimals}f}" if value.n > 1 else ""
        return f"{value.mean:.{decimals}f}{spread} (n = {value.n})"

    lines = []
    for row in group.rows:
        paper, ours = cell(row, "paper", row.paper), cell(row, "ours", row.ours)
        difference = DASH if row.difference is None else f"{row.difference:+.{decimals}f}"
        build = [cell(row, "build", row.build)] if with_build else []
        lines.append([row.label, paper, ours, difference, row.profile or DASH, *build])
    return lines


def _decimals(group: Group) -> int:
    """Two decimals, or as many as give the smallest value of the group three digits."""
    values = [row.paper for row in group.rows if row.paper is not None]
    values += [one.mean for row in group.rows for one in (row.ours, row.build) if one is not None]
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    return max(2, 2 - math.floor(math.log10(min(sizes)))) if sizes else 2


def _explanations(table: ComparisonTable) -> list[str]:
    """Say what the signs in the table mean, as far as they occur in it."""
    rows = [row for group in table.groups for row in group.rows]
    shown = [one for row in rows for one in (row.ours, row.build) if one is not None]
    texts = []
    if shown:
        texts.append("n counts seeds; ± is the sample standard deviation over them.")
    if any(row.difference is not None for row in rows):
        texts.append("The difference is ours minus the paper's.")
    if any(row.profile == "quick" for row in rows):
        texts.append("A quick run is no reproduction, so it has no difference.")
    if table.build_label and ": smoke" in table.build_label:
        texts.append("The smoke run shows that the code works; it is no reproduction.")
    return texts
