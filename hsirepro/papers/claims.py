"""Claims of a paper, decided from records: holds, fails, or not yet decidable and why.

A claim of ``claims.toml`` is decided for one scene at a time by a function of the paper's folder,
which asks an :class:`Evidence` for numbers. What it asks for and does not find becomes the list of
missing runs. Runs shorter than the paper's decide nothing: they are named as a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hsirepro.papers.published import claims
from hsirepro.records import Record, RecordKey, RecordStore

Word = Literal["holds", "fails", "undecided"]
DECIDING = "paper"
HINTING = "quick"


@dataclass(frozen=True)
class Verdict:
    """What records say of one claim on one scene.

    Parameters
    ----------
    claim : str
        Its id in ``claims.toml``.
    scene : str
    word : {"holds", "fails", "undecided"}
    evidence : str
        The numbers behind the word, in one sentence.
    missing : tuple of RecordKey
        Runs that would decide it, where it is undecided.
    """

    claim: str
    scene: str
    word: Word
    evidence: str
    missing: tuple[RecordKey, ...] = ()


@dataclass
class Evidence:
    """Numbers of one scene, from records of one profile; remembers what it did not find.

    Parameters
    ----------
    store : RecordStore
    profile : str
    missing : list of RecordKey
        What was asked for and is not recorded.
    found : list of Record
        What was.
    shelf : dict
        Records already read; claims share most of them.
    """

    store: RecordStore
    profile: str = DECIDING
    missing: list[RecordKey] = field(default_factory=list)
    found: list[Record] = field(default_factory=list)
    shelf: dict[tuple[str, ...], list[Record]] = field(default_factory=dict)

    def records(self, key: RecordKey) -> list[Record]:
        """Return the records of a cell, all seeds; an empty list is remembered as missing."""
        fields = ("paper", "table", "scene", "condition", "method")
        place = {name: str(getattr(key, name)) for name in fields}
        at = (*place.values(), self.profile)
        if at not in self.shelf:
            self.shelf[at] = self.store.find(**place, profile=self.profile)
        mine = self.shelf[at]
        if not mine:
            self.lack(key)
        self.found += mine
        return mine

    def by_seed(self, key: RecordKey, metric: str = "mPSNR") -> dict[int, float]:
        """Return a metric of a cell, seed by seed."""
        return {r.key.seed: r.metrics[metric] for r in self.records(key) if metric in r.metrics}

    def mean(self, key: RecordKey, metric: str = "mPSNR") -> float:
        """Return a metric averaged over the seeds of a cell; NaN where no record has it."""
        return self._mean(key, self.by_seed(key, metric).values())

    def mean_array(self, key: RecordKey, name: str) -> float:
        """Return the mean of a stored array over the seeds of a cell; NaN where none has it."""
        records = self.records(key)
        return self._mean(key, [float(r.arrays[name].mean()) for r in records if name in r.arrays])

    def _mean(self, key: RecordKey, values: Iterable[float]) -> float:
        given = list(values)
        if not given:
            self.lack(key)
        return float(np.mean(given)) if given else float("nan")

    def lack(self, key: RecordKey) -> None:
        """Remember that a run is missing, or does not hold what was asked for."""
        if key not in self.missing:
            self.missing.append(key)

    def settle(self) -> None:
        """Say that what was found decides the claim, whatever is missing: a counter-example."""
        self.missing.clear()


Answer = tuple[bool, str]
Decision = Callable[[Evidence, str], Answer]
"""``(evidence, scene) -> (whether it holds, the numbers in a sentence)``."""


def decide(
    claim: str,
    scene: str,
    decision: Decision,
    store: RecordStore,
    shelf: dict[tuple[str, ...], list[Record]] | None = None,
) -> Verdict:
    """Decide one claim on one scene.

    Parameters
    ----------
    claim : str
        Id of the claim.
    scene : str
        Name under which records are kept.
    decision : callable
        See :data:`Decision`.
    store : RecordStore
        Where the evidence lies.
    shelf : dict, optional
        Shared between claims, so that no record is read twice.

    Returns
    -------
    Verdict
        Undecided if any number is missing; its evidence then tells what shorter runs hint at.
    """
    read = {} if shelf is None else shelf
    evidence = Evidence(store, shelf=read)
    holds, sentence = decision(evidence, scene)
    if not evidence.missing:
        return Verdict(claim, scene, "holds" if holds else "fails", sentence)
    hint = Evidence(store, HINTING, shelf=read)
    maybe, hinted = decision(hint, scene)
    lack = len(evidence.missing)
    text = f"{lack} run{'s are' if lack > 1 else ' is'} missing."
    if not hint.missing:
        text += f" In runs of profile {HINTING} it {'holds' if maybe else 'fails'}: {hinted}"
    elif evidence.found and "nan" not in sentence:
        text += f" So far: {sentence}"
    return Verdict(claim, scene, "undecided", text, tuple(evidence.missing))


def verdicts(
    paper: str,
    decisions: Mapping[str, tuple[Decision, tuple[str, ...]]],
    store: RecordStore,
) -> list[Verdict]:
    """Decide every claim of a paper on every scene that it can be decided on.

    Parameters
    ----------
    paper : str
    decisions : mapping
        Id of a claim to its decision and the scenes it is asked on.
    store : RecordStore

    Returns
    -------
    list of Verdict
        In the order of ``claims.toml``, then of the scenes.
    """
    shelf: dict[tuple[str, ...], list[Record]] = {}
    return [
        decide(claim["id"], scene, decisions[claim["id"]][0], store, shelf)
        for claim in claims(paper)
        for scene in decisions[claim["id"]][1]
    ]
