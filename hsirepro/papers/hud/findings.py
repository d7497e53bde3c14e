"""Sentences on the metrics of HUD, for the chapters.

A sentence here is put together from records and never typed; where runs are missing it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hsirepro.papers.hud.experiments import NULLS
from hsirepro.papers.hud.recording import FID
from hsirepro.papers.hud.scores import COLUMNS
from hsirepro.papers.hud.studies import REAL, UNSEEN
from hsirepro.records import Record

if TYPE_CHECKING:
    import pandas as pd

COPY = "null-tiles"
RUBBISH = tuple(name for name in NULLS if name != COPY)
BLIND = 1e-3  # of a metric, or of 1 where that is more: a smaller change is none


def null_notes(frame: pd.DataFrame) -> list[str]:
    """Return for every metric on how many scenes nulls are better than all trained methods.

    Two sentences a metric: of the nulls that draw rubbish, and of the one that copies. Where either
    wins, the metric does not tell it from a good generator.

    Parameters
    ----------
    frame : DataFrame
        As :func:`~hsirepro.papers.hud.scores.scores` returns it.
    """
    notes = []
    for metric, (_, better) in COLUMNS.items():
        if metric not in frame or frame[metric].isna().all():
            continue
        for kind, names in (("rubbish", RUBBISH), ("copies", (COPY,))):
            notes.append(f"{metric}, {kind}: {_duel(frame, metric, better, names)}")
    return notes or ["nothing to compare is recorded yet."]


def _duel(frame: pd.DataFrame, metric: str, better: str, names: Sequence[str]) -> str:
    """Say on how many scenes one of some nulls is at least as good as every method."""
    sign = 1 if better == "higher" else -1
    beaten, asked, example = 0, 0, ""
    for scene, runs in frame.groupby("scene"):
        means = runs.groupby("method")[metric].mean().dropna()
        nulls = sign * means[means.index.isin(names)]
        others = sign * means[~means.index.isin(NULLS)]
        if nulls.empty or others.empty:
            continue
        null, rival = str(nulls.idxmax()), str(others.idxmax())
        asked += 1
        if nulls[null] >= others[rival]:
            beaten += 1
            example = example or (
                f"on {scene}, {null} has {means[null]:.4g} and the best method, {rival}, "
                f"{means[rival]:.4g}"
            )
    if not asked:
        return "nothing to compare is recorded yet."
    if not beaten:
        return f"on none of {asked} scenes do they beat every method."
    return f"on {beaten} of {asked} scenes they beat every method; {example}."


def damage_notes(records: Sequence[Record]) -> list[str]:
    """Return a sentence per metric: which damages make it worse, better, or leave it alone.

    Parameters
    ----------
    records : sequence of Record
        As :func:`~hsirepro.papers.hud.damages.damage_record` makes them.
    """
    notes = []
    for metric, (_, better) in COLUMNS.items():
        found: dict[str, list[str]] = {"worse": [], "better": [], "not changed": []}
        for record in records:
            values = record.arrays.get(metric)
            if values is None:
                continue
            before, after = float(values[0]), float(values[-1])
            gain = (after - before) * (1 if better == "higher" else -1)
            word = "not changed" if abs(gain) <= BLIND * max(1.0, abs(before)) else "worse"
            found["better" if word == "worse" and gain > 0 else word].append(
                f"{record.key.method} ({before:.4g} to {after:.4g})"
            )
        if any(found.values()):
            words = [f"{word} by {', '.join(names)}" for word, names in found.items() if names]
            notes.append(f"- {metric}: {'; '.join(words)}.")
    return notes


def halves_table(records: Sequence[Record]) -> tuple[dict[str, tuple[float, float]], float]:
    """Return how near tiles come to either half of a scene.

    Parameters
    ----------
    records : sequence of Record
        Of the study of halves, on one scene.

    Returns
    -------
    rows : dict
        By method the block diversity against the seen half and the other, means over seeds.
    real : float
        That of real tiles of the unseen half against the seen one.
    """
    name = "BlockDiversity"
    rows = {}
    for method in dict.fromkeys(record.key.method for record in records):
        mine = [record.metrics for record in records if record.key.method == method]
        seen, unseen = (float(np.mean([m[key] for m in mine])) for key in (name, f"{name}{UNSEEN}"))
        rows[method] = (seen, unseen)
    return rows, float(np.mean([record.metrics[f"{name}{REAL}"] for record in records]))


def sampler_notes(record: Record) -> list[str]:
    """Return for each solver the fewest steps that are as good as the longest sampler.

    Parameters
    ----------
    record : Record
        As :func:`~hsirepro.papers.hud.studies.sampler_record` makes it.
    """
    named = [str(one).rsplit(" ", 1) for one in record.settings["samplers"]]
    steps = [int(number) for _, number in named]
    most = int(np.argmax(steps))
    kinds = ["PointFidelity", *(name for name in COLUMNS if name.startswith(FID))]
    seconds = record.arrays["seconds per tile"].mean(axis=1)
    notes = []
    for metric in (name for name in kinds if name in record.arrays):
        drawn = record.arrays[metric]
        sign = 1 if COLUMNS[metric][1] == "higher" else -1
        worst = (sign * drawn[most]).min()
        for solver in dict.fromkeys(name for name, _ in named):
            good = [
                i
                for i, (name, _) in enumerate(named)
                if name == solver and i != most and (sign * drawn[i]).mean() >= worst
            ]
            if solver == named[most][0]:
                continue
            least = min(good, key=lambda i: steps[i], default=None)
            text = (
                "none of the numbers of steps tried is as good as"
                if least is None
                else f"{steps[least]} steps ({seconds[least]:.3f} s a tile) are no worse than"
            )
            notes.append(
                f"- {metric}, {solver}: {text} the worst of {drawn.shape[1]} draws with "
                f"{steps[most]} ({seconds[most]:.3f} s a tile)."
            )
    return notes
