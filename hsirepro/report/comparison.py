"""The contents of a comparison table: which numbers stand in it, and why others do not.

Nothing is rounded or worded for display here; see :mod:`hsirepro.report.tables` for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hsirepro.errors import ParameterError, suggest
from hsirepro.papers.published import published

if TYPE_CHECKING:
    from hsirepro.records import Record

RECORDED = ("paper", "quick")  # best first; a smoke record is never one of ours


@dataclass(frozen=True)
class Sample:
    """One metric over the seeds of one method: mean, sample standard deviation, count."""

    mean: float
    spread: float
    n: int


@dataclass(frozen=True)
class Row:
    """One method under one metric; ``None`` is a number that does not exist."""

    method: str
    label: str
    paper: float | None
    ours: Sample | None
    difference: float | None
    profile: str | None
    build: Sample | None
    notes: Mapping[str, str]  # column -> why its number does not exist


@dataclass(frozen=True)
class Cells:
    """What a table is made from: the paper's rows, our records, the records of this build."""

    place: tuple[str, str, str, str]  # paper, table, scene, condition
    names: Mapping[str, str | None]  # our method name -> the paper's
    printed: pd.DataFrame
    records: Sequence[Record]
    built: Sequence[Record]

    def row(self, method: str, metric: str) -> Row:
        """Return the row of ``method`` under ``metric``."""
        name = self.names.get(method, method)
        found = self.printed.query("method == @name and metric == @metric").value
        paper = float(found.iloc[0]) if len(found) else None
        records = self._best(method)
        ours = sample(metric, records)
        profile = records[0].key.profile if ours else None
        build = sample(metric, [record for record in self.built if record.key.method == method])
        difference = None
        if ours is not None and paper is not None and profile == "paper":
            difference = ours.mean - paper
        notes = {}
        if paper is None:
            notes["paper"] = "The paper's table does not have this method."
        if ours is None:
            notes["ours"] = self._missing(method)
        if build is None:
            notes["build"] = "Not run in this build."
        return Row(method, name or method, paper, ours, difference, profile, build, notes)

    def _best(self, method: str) -> list[Record]:
        """Return the records of ``method`` in the best profile there is."""
        for profile in RECORDED:
            mine = [r for r in self.records if (r.key.method, r.key.profile) == (method, profile)]
            if mine:
                return mine
        return []

    def _missing(self, method: str) -> str:
        if method not in self.names and method in set(self.printed.method):
            return "This project does not have this method yet."
        return f"Not recorded; `{run_command(*self.place, method)}` would fill it."

    def check(self, methods: Iterable[str]) -> None:
        """Raise :class:`ParameterError` for unknown methods and for records given twice."""
        in_paper = set(self.printed.method)
        everyone = [*self.records, *self.built]
        known = in_paper | set(self.names) | {record.key.method for record in everyone}
        asked = [(method, known) for method in methods]
        asked += [(name, in_paper) for name in self.names.values() if name is not None]
        for name, options in asked:
            if name not in options:
                raise ParameterError(
                    f"There is no method {name!r} in the paper's table or among ours.",
                    next_step=suggest(name, options),
                )
        for group in (self.records, self.built):
            keys = [record.key for record in group]
            for key in keys:
                if keys.count(key) > 1:
                    raise ParameterError(
                        "A record is given twice, and would count as two seeds.",
                        record=str(key),
                        next_step="give each record once",
                    )


def sample(metric: str, records: Sequence[Record]) -> Sample | None:
    """Return ``metric`` over ``records``, or None where no record has it.

    One run has no spread (NaN).
    """
    values = np.array([r.metrics[metric] for r in records if metric in r.metrics], dtype=float)
    if not values.size:
        return None
    with np.errstate(invalid="ignore"):  # infinite PSNRs have no spread either
        spread = float(values.std(ddof=1)) if values.size > 1 else math.nan
    return Sample(float(values.mean()), spread, int(values.size))


def printed_rows(
    paper: str, table: str, condition: str, metrics: Sequence[str], dataset: str | None = None
) -> pd.DataFrame:
    """Return the rows that ``paper`` prints in one table under one condition, for one scene.

    Raises
    ------
    ParameterError
        If the paper has no such table, condition, metric or scene.
    """
    rows = published(paper)
    asked = {"table": [table], "condition": [condition], "metric": list(metrics)}
    asked |= {"dataset": [dataset]} if dataset else {}
    for column, values in asked.items():
        known = sorted(set(rows[column]))
        for value in values:
            if value not in known:
                raise ParameterError(
                    f"There is no {column} {value!r} in the tables of {paper}.",
                    next_step=suggest(value, known),
                )
        rows = rows[rows[column].isin(values)]
    return rows


def run_command(paper: str, table: str, scene: str, condition: str, method: str) -> str:
    """Return the command that makes the ``paper`` record of one cell of a table.

    Examples
    --------
    >>> print(run_command("hyconet", "V", "houston-2018-crop", "sigma=0.5", "gsa"))
    hsirepro run hyconet --table V --scene houston-2018-crop --condition sigma=0.5
      --method gsa --profile paper
    """
    return (
        f"hsirepro run {paper} --table {table} --scene {scene} --condition {condition} "
        f"--method {method} --profile paper"
    )
