"""Sentences on the metrics of HUD, for the chapters.

A sentence here is put together from records and never typed; where runs are missing it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hsirepro.papers.hud.experiments import COPIES, NULLS
from hsirepro.papers.hud.recording import FID
from hsirepro.papers.hud.scores import COLUMNS
from hsirepro.papers.hud.studies import REAL, UNSEEN
from hsirepro.records import Record

if TYPE_CHECKING:
    import pandas as pd

RUBBISH = tuple(name for name in NULLS if name not in COPIES)
BLIND = 1e-3  # of a metric, or of 1 where that is more: a smaller change is none


def null_notes(frame: pd.DataFrame) -> list[str]:
    """Return for every metric on how many scenes nulls are better than all trained methods.

    Two sentences a metric: of the nulls that draw rubbish, and of those that copy. Where either
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
        for kind, names in (("rubbish", RUBBISH), ("copies", COPIES)):
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


def ceiling_notes(frame: pd.DataFrame) -> list[str]:
    """Return a sentence per scene: HUD's FID beside what its endmembers alone allow.

    Parameters
    ----------
    frame : DataFrame
        As :func:`~hsirepro.papers.hud.scores.scores` returns it.
    """
    rows = {"null-tiles": "copied tiles", "null-unmixed": "unmixed and mixed again", "hud": "HUD"}
    notes = []
    for scene, runs in frame.groupby("scene"):
        for metric in (name for name in COLUMNS if name.startswith(FID) and name in runs):
            means = runs.groupby("method")[metric].mean().dropna()
            if all(name in means.index for name in rows):
                values = "; ".join(f"{text} {means[name]:.3g}" for name, text in rows.items())
                notes.append(f"{scene}, {metric}: {values}.")
    return notes


def damage_words(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """Return for every metric and damage what full strength does to the metric.

    Parameters
    ----------
    records : sequence of Record
        As :func:`~hsirepro.papers.hud.damages.damage_record` makes them.

    Returns
    -------
    dict of dict
        By metric and damage ``"worse"``, ``"better"`` or ``"same"``: of :data:`BLIND`, or less.
    """
    words: dict[str, dict[str, str]] = {}
    for metric, (_, better) in COLUMNS.items():
        for record in records:
            if metric not in record.arrays:
                continue
            before, after = (float(record.arrays[metric][end]) for end in (0, -1))
            gain = (after - before) * (1 if better == "higher" else -1)
            blind = abs(gain) <= BLIND * max(1.0, abs(before))
            words.setdefault(metric, {})[record.key.method] = (
                "same" if blind else "better" if gain > 0 else "worse"
            )
    return words


def damage_table(records: Sequence[Record]) -> list[str]:
    """Return the lines of a Markdown table: metrics by damages, with the values at both ends."""
    names = [record.key.method for record in records]
    lines = ["| metric | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for metric, words in damage_words(records).items():
        ends = {r.key.method: r.arrays[metric][[0, -1]] for r in records}
        cells = [f"{words[n]}: {ends[n][0]:.3g} → {ends[n][1]:.3g}" for n in names]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines


def damage_notes(records: Sequence[Record]) -> list[str]:
    """Return a sentence per metric: which damages it notices, and which it takes for progress."""
    notes = []
    for metric, words in damage_words(records).items():
        found = {word: [n for n, w in words.items() if w == word] for word in ("worse", "better")}
        note = f"{metric} notices {len(found['worse'])} of {len(words)} damages"
        note += f" ({', '.join(found['worse'])})" if found["worse"] else ""
        if found["better"]:
            note += f", and calls tiles better that are {', '.join(found['better'])}"
        notes.append(f"{note}.")
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
    """Return how far draws are apart, and the fewest steps as good as the longest sampler.

    Parameters
    ----------
    record : Record
        As :func:`~hsirepro.papers.hud.studies.sampler_record` makes it.
    """
    named = [str(one).rsplit(" ", 1) for one in record.settings["samplers"]]
    steps = [int(number) for _, number in named]
    most = int(np.argmax(steps))
    kinds = ["PointFidelity", *(name for name in COLUMNS if name.startswith(FID))]
    seconds = record.arrays["seconds per tile"].min(axis=1)  # other work only ever adds
    notes = []
    for metric in (name for name in kinds if name in record.arrays):
        drawn = record.arrays[metric]
        sign = 1 if COLUMNS[metric][1] == "higher" else -1
        worst = (sign * drawn[most]).min()
        notes.append(
            f"- {metric}: {drawn.shape[1]} draws of one sampler, of other seeds, lie from "
            f"{drawn[most].min():.4g} to {drawn[most].max():.4g} with {steps[most]} steps."
        )
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
