"""Tables of scores: means where there are runs, dashes where not, places by the right direction."""

from __future__ import annotations

import pandas as pd

from hsirepro.report import angles_table, places_table, told_table, widths_table

COLUMNS = ["scene", "sigma", "method", "mPSNR", "mSAM", "as released"]


def frame(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


RUNS = frame(
    ("a crop", 0.5, "ours", 40.0, 5.0, 1.0),
    ("a crop", 0.5, "ours", 42.0, 7.0, 1.0),
    ("a crop", 0.5, "gsa", 30.0, 4.0, 2.0),
    ("a crop", 2.0, "gsa", 33.0, 4.0, None),
    ("a crop", 2.0, "ours", 44.0, 90.0, 80.0),
    ("another", 0.5, "ours", 20.0, 9.0, 1.0),
    ("another", 0.5, "gsa", 21.0, 8.0, 2.0),
)


def test_widths_show_means_beside_the_paper_and_count_runs():
    printed = {"mPSNR": {("gsa", 0.5): 31.25}, "mSAM": {}}
    units = {"mPSNR": "dB", "mSAM": "degree"}
    table = widths_table(RUNS, "a crop", ["ours", "gsa", "fuse"], printed, units)
    assert table.layout.header == ["method", "σ = 0.5", "σ = 2"]
    (first, psnr), (second, angle) = table.layout.bodies
    assert (first, second) == (
        "mPSNR (dB), ↑ higher is better",
        "mSAM (degrees), ↓ lower is better",
    )
    assert psnr == [
        ["ours", "41.00 ± 1.41, n = 2", "44.00"],
        ["gsa", "30.00 (31.25)", "33.00"],
        ["fuse", "—", "—"],
    ]
    assert angle[0] == ["ours", "6.00 ± 1.41, n = 2", "90.00"]


def test_told_table_has_a_column_per_option():
    """What is not recorded is a dash; HyCoNet, which is told nothing, closes each crop."""
    crops = {"a crop": {"g-somp": {"given": 30.5}, "fuse": {"given": 20.0}}}
    table = told_table(crops, ["assumed", "given"], {"a crop": 40.0}, "caption")
    assert table.layout.header == ["mPSNR (dB)", "assumed", "given"]
    assert table.layout.bodies == [
        (
            "a crop",
            [
                ["g-somp", "—", "30.50"],
                ["fuse", "—", "20.00"],
                ["hyconet, told none of it", "40.00", "40.00"],
            ],
        )
    ]


def test_places_know_which_way_is_better():
    """First by mPSNR, second by the angle; a width without the method has no row."""
    runs = RUNS[~((RUNS.method == "ours") & (RUNS.sigma == 2))]
    table = places_table(runs, "ours", ["ours", "gsa"], ["mPSNR", "mSAM"])
    assert table.layout.bodies == [
        ("a crop", [["σ = 0.5", "1", "2 (1: gsa)", "2"]]),
        ("another", [["σ = 0.5", "2 (1: gsa)", "2 (1: gsa)", "2"]]),
    ]


def test_angles_leave_out_what_lacks_one_of_them():
    """Other widths do not count either."""
    table = angles_table(RUNS, "a crop", ["gsa", "ours", "fuse"], ("mSAM", "as released"))
    assert table.layout.bodies == [("", [["gsa", "4.00", "2.00"], ["ours", "6.00", "1.00"]])]
    (note,) = table.layout.notes
    assert note.startswith("The best is gsa by the first and ours by the second; 0 of 2")


def test_angles_of_nothing_say_so():
    (note,) = angles_table(RUNS, "elsewhere", ["gsa"], ("mSAM", "as released")).layout.notes
    assert note == "No record holds both yet."
