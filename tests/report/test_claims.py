"""Verdicts on claims are shown whole: what the paper says, the word, the numbers, what lacks."""

from __future__ import annotations

import re

import pytest

from hsirepro.errors import ParameterError
from hsirepro.papers.claims import Verdict
from hsirepro.records import RecordKey
from hsirepro.report import claims_board, claims_summary, claims_table

TEXTS = [
    {"id": f"p-{number}", "name": f"The {number}", "source": source, "says": says, "check": check}
    for number, source, says, check in (
        ("first", "Fig. 5", "A < B & C always.", "all A < 1"),
        ("second", "Tables II-V", "It is the best.", "ours > theirs"),
        ("third", "Fig. 9", "It is sparse.", "half are 0"),
    )
]


def key(method: str, profile: str = "paper") -> RecordKey:
    return RecordKey("p", "II", "planted", "sigma=0.5", method, profile, 0)


HOLDS = Verdict("p-first", "planted", "holds", "|1 - sum| is 0.1.")
FAILS = Verdict("p-first", "houston-2018-crop", "fails", "It costs 0.10 dB.")
OPEN = Verdict(
    "p-second", "planted", "undecided", "2 runs are missing. So far: 3.", (key("a"), key("b"))
)
BARE = Verdict("p-second", "other", "undecided", "1 run is missing.", (key("b"), key("b")))
ALL = [OPEN, HOLDS, BARE, FAILS]


def rows(table: object) -> list[list[str]]:
    lines = [line for line in repr(table).splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    return [[cell.strip() for cell in line] for line in cells]


def test_verdicts_are_grouped_by_claim_in_the_order_of_the_claims():
    """What the paper says and where heads the verdicts on it; claims without one are left out."""
    assert rows(claims_table(ALL, TEXTS)) == [
        ["claim (source), scene", "verdict", "evidence"],
        ["---", "---:", "---:"],
        ["**A < B & C always. (Fig. 5) It holds if all A < 1.**", "", ""],
        ["planted", "✓ holds", r"\|1 - sum\| is 0.1."],
        ["houston-2018-crop", "✗ fails", "It costs 0.10 dB."],
        ["**It is the best. (Tables II-V) It holds if ours > theirs.**", "", ""],
        ["planted", "? undecided, 2 runs missing", "So far: 3."],
        ["other", "? undecided, 1 run missing", "—"],
    ]


def test_one_command_fills_what_is_missing():
    """It stands once below the table, and not at all where all is decided."""
    text = repr(claims_table(ALL, TEXTS))
    assert text.count("`hsirepro sweep p --profile paper`") == 1
    assert text.splitlines()[-1].startswith("What is undecided lacks runs")
    assert "hsirepro" not in repr(claims_table([HOLDS, FAILS], TEXTS))


def test_html_is_escaped_and_sentences_may_break():
    """Claims hold signs that HTML reserves; long sentences do not widen the page."""
    page = claims_table(ALL, TEXTS)._repr_html_()
    assert "A &lt; B &amp; C always. (Fig. 5) It holds if all A &lt; 1." in page
    assert "<code>hsirepro sweep p --profile paper</code>" in page
    cells = re.findall(r"<td[^>]*>", page)
    headings = re.findall(r'<th scope="rowgroup"[^>]*>', page)
    assert len(cells) == 8
    assert len(headings) == 2
    assert not any("nowrap" in tag for tag in [*cells, *headings])


def test_a_verdict_is_read_without_colour():
    """Each verdict is a word with a sign of its own shape, and no colour at all."""
    page = claims_table(ALL, TEXTS)._repr_html_()
    assert all(sign in page for sign in ("✓ holds", "✗ fails", "? undecided"))
    assert "color" not in page


def test_a_frame_has_a_row_per_verdict():
    """Claim, source, scene, verdict, number of missing runs and evidence can be worked with."""
    frame = claims_table(ALL, TEXTS).to_frame()
    assert frame.columns.tolist() == [
        *("name", "claim", "source", "check", "scene", "verdict", "missing", "evidence")
    ]
    assert frame.verdict.tolist() == ["holds", "fails", "undecided", "undecided"]
    assert frame.missing.tolist() == [0, 0, 2, 1]  # a run that is asked for twice is one run
    assert frame.source[0] == "Fig. 5"


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (
            ALL,
            "Of 4 pairs of a claim and a scene, 1 holds, 1 fails and 2 are undecided, for want "
            "of 2 runs.",
        ),
        ([HOLDS], "Of 1 pair of a claim and a scene, 1 holds, 0 fail and 0 are undecided."),
        (
            [FAILS, BARE],
            "Of 2 pairs of a claim and a scene, 0 hold, 1 fails and 1 is undecided, for want of "
            "1 run.",
        ),
    ],
)
def test_a_sentence_counts_verdicts(verdicts, sentence):
    """Numbers in running text are generated, with the grammar that they ask for."""
    assert claims_summary(verdicts) == sentence


def test_no_verdicts_and_unknown_claims_are_named():
    """The error says which claim is not there and where texts come from."""
    for show in (claims_summary, lambda none: claims_table(none, TEXTS)):
        with pytest.raises(ParameterError, match=r"(?s)no verdicts to show.*decided"):
            show([])
    stray = Verdict("p-frist", "planted", "holds", "x")
    with pytest.raises(ParameterError, match=r"(?s)'p-frist'.*did you mean 'p-first'.*claims\("):
        claims_table([stray], TEXTS)


def test_scenes_of_which_nothing_is_known_share_a_line():
    """Six scenes without a run must not fill the page with dashes."""
    bare = [
        Verdict("p-second", name, "undecided", f"{len(lack)} runs are missing.", lack)
        for name, lack in {
            "one": (key("a"), key("b")),
            "two": (key("a"), key("b"), key("c")),
        }.items()
    ]
    assert rows(claims_table([OPEN, *bare], TEXTS))[3:] == [
        ["planted", "? undecided, 2 runs missing", "So far: 3."],
        ["one, two", "? undecided, 2 to 3 runs missing each", "—"],
    ]


def test_the_board_has_a_sign_for_every_claim_and_scene():
    """A claim that is not asked on a scene shows a dash, and the signs are explained."""
    board = claims_board(ALL, TEXTS)
    assert rows(board) == [
        ["claim", "planted", "houston-2018-crop", "other"],
        ["---", "---:", "---:", "---:"],
        ["The first", "✓", "✗", "—"],
        ["The second", "?", "—", "?"],
    ]
    assert "✓ holds, ✗ fails, ? undecided, — not asked there." in repr(board)
    assert 'scope="rowgroup"' not in board._repr_html_()
