"""Tables of classifiers: accuracies by split beside a paper's, and what an addition gains.

Rows and what a paper prints are given by whoever draws: this room knows records, not papers. The
rules of :mod:`~hsirepro.report.tables` hold: ``smoke`` records are never *ours*, and a difference
is formed for the ``paper`` profile only. Figures are in :mod:`~hsirepro.report.classes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report import render
from hsirepro.report.comparison import RECORDED, Sample, sample
from hsirepro.report.provenance import provenance_line
from hsirepro.report.runs import RunTable
from hsirepro.report.tables import DASH

Printed = Mapping[tuple[str, str], float]
"""Condition and row to the accuracy in % that a paper prints."""
SCORES = {"OA": 2, "AA": 2, "kappa": 3}


def classification_table(
    records: Sequence[Record],
    rows: Mapping[str, str],
    printed: Printed,
    *,
    build: Sequence[Record] = (),
    dataset: str = "salinas",
) -> RunTable:
    """Set accuracies of one scene beside those of a paper: *paper | ours | difference | profile*.

    Parameters
    ----------
    records : sequence of Record
        With the metrics ``OA`` and ``AA`` in % and ``kappa``, of one scene; each seed is a split.
    rows : mapping of str to str
        Methods, and what to call them.
    printed : mapping
        See :data:`Printed`.
    build : sequence of Record
        Runs of this build, in a column of their own.
    dataset : str
        The paper's scene.

    Raises
    ------
    ParameterError
        If there are no records at all, or they are of several scenes.
    """
    scene = _scene(records or build)
    conditions = dict.fromkeys([c for c, _ in printed] + _conditions([*records, *build]))
    bodies = []
    for condition in conditions:
        lines = []
        for method, label in rows.items():
            ours = best_runs(records, condition, method)
            here = [r for r in build if (r.key.condition, r.key.method) == (condition, method)]
            theirs = printed.get((condition, method))
            if theirs is None and not ours and not here:
                continue
            lines.append([label, *_numbers(theirs, ours), *_further(ours), *_built(here, build)])
        if lines:
            bodies.append((condition, lines))
    header = ["method", "paper OA (%)", "ours OA (%)", "difference", "profile", "AA (%)", "kappa"]
    if build:
        key = build[0].key
        header.append(f"this build: OA (%), {key.profile} ({key.scene})")
    caption = f"Overall accuracy, {dataset}; ours: {scene}"
    notes = [*_notes(records, scene, dataset), provenance_line([*records, *build])]
    return RunTable(caption, render.Layout(caption, header, bodies, notes))


def gains_table(
    records: Sequence[Record],
    pairs: Mapping[str, tuple[str, str]],
    printed: Printed,
    *,
    dataset: str = "salinas",
) -> RunTable:
    """Set what an addition gains, split by split, beside what it gains in a paper.

    Parameters
    ----------
    records : sequence of Record
        As in :func:`classification_table`.
    pairs : mapping of str to (str, str)
        What to call a pair, and its rows without and with the addition.
    printed : mapping
        See :data:`Printed`.
    dataset : str
        The paper's scene.
    """
    scene = _scene(records)
    bodies = []
    for condition in dict.fromkeys([c for c, _ in printed] + _conditions(records)):
        lines = []
        for label, (without, with_it) in pairs.items():
            gains, profile = paired(records, condition, without, with_it)
            known = [printed.get((condition, row)) for row in (without, with_it)]
            theirs = None if None in known else float(known[1] or 0) - float(known[0] or 0)
            if theirs is None and not gains:
                continue
            ours = _mean_of(gains)
            apart = ours and theirs is not None and profile == "paper"
            difference = (
                f"{ours.mean - theirs:+.2f}" if ours and apart and theirs is not None else DASH
            )
            lines.append(
                [
                    label,
                    DASH if theirs is None else f"{theirs:+.2f}",
                    _text(ours, 2, sign=True),
                    difference,
                    profile or DASH,
                    f"{sum(g > 0 for g in gains)} of {len(gains)}" if gains else DASH,
                ]
            )
        if lines:
            bodies.append((condition, lines))
    caption = f"Gain in overall accuracy, {dataset}; ours: {scene}"
    header = ["pair", "paper", "ours (points)", "difference", "profile", "splits that gain"]
    notes = [*_notes((), scene, dataset), provenance_line(records)]
    return RunTable(caption, render.Layout(caption, header, bodies, notes))


def best_runs(records: Iterable[Record], condition: str, method: str) -> list[Record]:
    """Return the runs of one row in the best profile that counts: paper before quick."""
    mine = [r for r in records if (r.key.condition, r.key.method) == (condition, method)]
    for profile in RECORDED:
        found = [r for r in mine if r.key.profile == profile]
        if found:
            return found
    return []


def paired(
    records: Sequence[Record], condition: str, without: str, with_it: str
) -> tuple[list[float], str]:
    """Return the gains in OA of the splits that both rows have, and their profile.

    Examples
    --------
    >>> paired([], "samples=50", "lee", "lee+abundances")
    ([], '')
    """
    for profile in RECORDED:
        both = [
            {
                r.key.seed: r.metrics["OA"]
                for r in records
                if (r.key.condition, r.key.method, r.key.profile) == (condition, row, profile)
            }
            for row in (without, with_it)
        ]
        seeds = sorted(set(both[0]) & set(both[1]))
        if seeds:
            return [both[1][seed] - both[0][seed] for seed in seeds], profile
    return [], ""


def _scene(records: Sequence[Record]) -> str:
    shown = {r.key.scene for r in records}
    if len(shown) != 1:
        raise ParameterError(
            f"A table of accuracies shows one scene, these are {len(shown)}.",
            given=", ".join(sorted(shown)) or "nothing",
            next_step="give records of one scene",
        )
    return shown.pop()


def _conditions(records: Iterable[Record]) -> list[str]:
    return sorted({r.key.condition for r in records}, key=lambda text: (len(text), text))


def _numbers(theirs: float | None, ours: Sequence[Record]) -> list[str]:
    """Return paper, ours, difference and profile."""
    mean = sample("OA", ours)
    profile = ours[0].key.profile if ours else DASH
    difference = DASH
    if mean is not None and theirs is not None and profile == "paper":
        difference = f"{mean.mean - theirs:+.2f}"
    return [DASH if theirs is None else f"{theirs:.2f}", _text(mean, 2), difference, profile]


def _further(ours: Sequence[Record]) -> list[str]:
    return [_text(sample(name, ours), SCORES[name]) for name in ("AA", "kappa")]


def _built(here: Sequence[Record], build: Sequence[Record]) -> list[str]:
    return [_text(sample("OA", here), 2)] if build else []


def _mean_of(values: Sequence[float]) -> Sample | None:
    if not values:
        return None
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Sample(float(np.mean(values)), spread, len(values))


def _text(value: Sample | None, decimals: int, *, sign: bool = False) -> str:
    if value is None:
        return DASH
    spread = f" ± {value.spread:.{decimals}f}" if value.n > 1 else ""
    return f"{value.mean:{'+' if sign else ''}.{decimals}f}{spread} (n = {value.n})"


def _notes(records: Sequence[Record], scene: str, dataset: str) -> list[str]:
    told = ["n counts splits; ± is the sample standard deviation over them."]
    if scene != dataset:
        told.append(f"Stand-in: {scene}, not the paper's scene ({dataset}).")
    if any(r.key.profile == "quick" for r in records):
        told.append("A quick run is no reproduction, so it has no difference.")
    said = dict.fromkeys(note for r in records for note in r.settings.get("notes", ()))
    return [" ".join(told), *said]
