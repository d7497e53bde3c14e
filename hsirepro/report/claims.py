"""The table of a paper's claims: what records say of each, scene by scene."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hsirepro.errors import ParameterError, suggest
from hsirepro.report import render
from hsirepro.report.tables import DASH

if TYPE_CHECKING:
    from hsirepro.papers.claims import Verdict

# A sign of its own shape beside each word, for those who skim; no colour is needed to read it.
SIGNS = {"holds": "✓", "fails": "✗", "undecided": "?"}
# The evidence of an undecided claim opens with the number of missing runs, which stands beside it.
LACK = re.compile(r"^\d+ runs? (?:is|are) missing\.\s*")


@dataclass(frozen=True)
class Row:
    """A claim on one scene."""

    name: str
    claim: str
    source: str
    check: str
    scene: str
    verdict: str
    missing: int
    evidence: str


@dataclass(frozen=True, repr=False)
class ClaimsTable:
    """What :func:`claims_table` returns; as the last line of a cell it shows itself."""

    rows: tuple[Row, ...]
    commands: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per claim and scene."""
        return pd.DataFrame([vars(row) for row in self.rows])

    def _repr_html_(self) -> str:
        return render.html(self._layout())

    def __repr__(self) -> str:
        return render.markdown(self._layout())

    def _layout(self) -> render.Layout:
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            head = f"{row.claim} ({row.source}) It holds if {row.check}."
            groups.setdefault(head, []).append(row)
        bodies = {claim: _lines(rows) for claim, rows in groups.items()}
        notes = []
        if self.commands:
            which = " and ".join(f"`{command}`" for command in self.commands)
            notes.append(f"What is undecided lacks runs, and {which} computes and records them.")
        header = ["claim (source), scene", "verdict", "evidence"]
        caption = "What the paper says, and what our records say"
        return render.Layout(caption, header, list(bodies.items()), notes, prose=True)


def _lines(rows: Sequence[Row]) -> list[list[str]]:
    """Return a line per scene; scenes of which nothing is known yet share the last one."""
    bare = [row for row in rows if row.verdict == "undecided" and row.evidence == DASH]
    lines = []
    for row in rows:
        if row in bare:
            continue
        lack = f", {_runs(row.missing)} missing" if row.missing else ""
        lines.append([row.scene, f"{SIGNS[row.verdict]} {row.verdict}{lack}", row.evidence])
    if bare:
        least, most = (pick(row.missing for row in bare) for pick in (min, max))
        lack = _runs(most) if least == most else f"{least} to {_runs(most)}"
        each = " each" if len(bare) > 1 else ""
        scenes = ", ".join(row.scene for row in bare)
        lines.append([scenes, f"{SIGNS['undecided']} undecided, {lack} missing{each}", DASH])
    return lines


@dataclass(frozen=True, repr=False)
class ClaimsBoard:
    """What :func:`claims_board` returns; as the last line of a cell it shows itself."""

    signs: pd.DataFrame

    def _repr_html_(self) -> str:
        return render.html(self._layout())

    def __repr__(self) -> str:
        return render.markdown(self._layout())

    def _layout(self) -> render.Layout:
        lines = [[str(claim), *signs] for claim, *signs in self.signs.itertuples()]
        words = ", ".join(f"{sign} {word}" for word, sign in SIGNS.items())
        return render.Layout(
            "Claims by scene",
            ["claim", *self.signs.columns],
            [("", lines)],
            [f"{words}, {DASH} not asked there."],
            prose=True,
        )


def claims_board(verdicts: Iterable[Verdict], texts: Iterable[Mapping[str, str]]) -> ClaimsBoard:
    """Set one sign per claim and scene in a table that is read at a glance.

    Parameters
    ----------
    verdicts, texts
        As in :func:`claims_table`.

    Raises
    ------
    ParameterError
        If there is no verdict, or one on a claim that is not among ``texts``.
    """
    frame = claims_table(verdicts, texts).to_frame()
    frame["sign"] = frame["verdict"].map(SIGNS)
    signs = frame.pivot_table(
        index="name", columns="scene", values="sign", aggfunc="first", sort=False
    )
    order = list(dict.fromkeys(frame["name"])), list(dict.fromkeys(frame["scene"]))
    return ClaimsBoard(signs.reindex(index=order[0], columns=order[1]).fillna(DASH))


def claims_table(verdicts: Iterable[Verdict], texts: Iterable[Mapping[str, str]]) -> ClaimsTable:
    """Set verdicts on claims in a table, grouped by claim.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Of one paper or of several.
    texts : iterable of dict
        The claims, as :func:`hsirepro.papers.published.claims` returns them. They give the order;
        those without a verdict are left out.

    Returns
    -------
    ClaimsTable
        A group per claim, headed by what the paper says and where, and what decides it; in it, a
        row per scene with the verdict and the evidence. Below, the command that computes missing
        runs.

    Raises
    ------
    ParameterError
        If there is no verdict, or one on a claim that is not among ``texts``.
    """
    given = _some(verdicts)
    known = {text["id"]: text for text in texts}
    for verdict in given:
        if verdict.claim not in known:
            raise ParameterError(
                f"There is a verdict on {verdict.claim!r}, and no such claim.",
                hint=suggest(verdict.claim, known),
                next_step="texts=claims(paper) of the paper that the verdicts are on",
            )
    rows = tuple(
        Row(
            name=text["name"],
            claim=text["says"],
            source=text["source"],
            check=text["check"],
            scene=verdict.scene,
            verdict=verdict.word,
            missing=len(set(verdict.missing)),
            evidence=LACK.sub("", verdict.evidence) or DASH,
        )
        for name, text in known.items()
        for verdict in given
        if verdict.claim == name
    )
    lacking = [key for verdict in given for key in verdict.missing]
    sweeps = {f"hsirepro sweep {key.paper} --profile {key.profile}": None for key in lacking}
    return ClaimsTable(rows, tuple(sweeps))


def summary(verdicts: Iterable[Verdict]) -> str:
    """Return one sentence that says how many claims hold, fail and are undecided.

    A claim is counted once per scene on which it is asked, for it may hold on one and fail on
    another.

    Raises
    ------
    ParameterError
        If there is no verdict.
    """
    given = _some(verdicts)
    words: list[str] = [verdict.word for verdict in given]
    held, failed, open_ = (words.count(word) for word in SIGNS)
    text = (
        f"Of {_count(len(given), 'pair')} of a claim and a scene, "
        f"{held} {'holds' if held == 1 else 'hold'}, {failed} {'fails' if failed == 1 else 'fail'} "
        f"and {open_} {'is' if open_ == 1 else 'are'} undecided"
    )
    lacking = {key for verdict in given for key in verdict.missing}
    return f"{text}, for want of {_runs(len(lacking))}." if lacking else f"{text}."


def _some(verdicts: Iterable[Verdict]) -> Sequence[Verdict]:
    given = list(verdicts)
    if not given:
        raise ParameterError(
            "There are no verdicts to show.", next_step="give what decided() of the paper returns"
        )
    return given


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _runs(number: int) -> str:
    return _count(number, "run")
