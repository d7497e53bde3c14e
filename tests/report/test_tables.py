"""The comparison table never lets a number pass for what it is not."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from hsirepro.errors import ParameterError
from hsirepro.papers.published import published
from hsirepro.records import Record, RecordKey, provenance
from hsirepro.report import ComparisonTable, comparison_table, provenance_line

NAMES = {"hyconet": "HyCoNet", "gsa": "GSA", "sfim-hs": "SFIMHS", "bicubic": None}
KEY = RecordKey("hyconet", "V", "houston-2018-crop", "sigma=0.5", "hyconet", "paper", 0)
PRINTED = (
    published("hyconet")
    .query("table == 'V' and condition == 'psf_sigma=0.5'")
    .set_index(["method", "metric"])
    .value
)


def record(psnr: float = 33.0, **key: str | int) -> Record:
    """Return a record that differs from KEY as said; its other metrics follow from its PSNR."""
    made = provenance(
        seed=0, data_sha256="d" * 64, wall_time_s=12.5, peak_memory_mb=800, device="cpu"
    )
    metrics = {"mPSNR": psnr, "mSAM": psnr / 10, "ERGAS": psnr / 30}
    return Record(replace(KEY, **key), metrics, provenance=made)


def table(**changes) -> ComparisonTable:
    given = {
        "paper": "hyconet",
        "table": "V",
        "scene": "houston-2018-crop",
        "condition": "sigma=0.5",
        "methods": ["hyconet", "gsa", "sfim-hs", "bicubic"],
        "records": [record()],
        "published_names": NAMES,
        "published_condition": "psf_sigma=0.5",
    }
    return comparison_table(**{**given, **changes})


def cells(shown: ComparisonTable, metric: str = "mPSNR") -> dict[str, dict[str, str]]:
    """Read the rows of ``metric`` out of the HTML: method -> column -> text."""
    soup = BeautifulSoup(shown._repr_html_(), "html.parser")
    header = [th.text for th in soup.find("thead").find_all("th")]
    for body in soup.find_all("tbody"):
        heading, *rows = body.find_all("tr")
        if heading.text.startswith(metric):
            lines = [[cell.text for cell in row.find_all(["th", "td"])] for row in rows]
            return {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    raise AssertionError(f"no group {metric}")


def test_difference_is_ours_minus_the_paper_s():
    """The sign says who is higher: ours above the paper is positive, for every metric."""
    printed = PRINTED["HyCoNet", "mPSNR"]
    for ours, sign in ((printed + 1.5, "+1.50"), (printed - 0.25, "-0.25")):
        row = cells(table(records=[record(ours)]))["HyCoNet"]
        assert row["difference (between scenes)"] == sign
        assert row["paper"] == f"{printed:.2f}"
        assert row["ours"] == f"{ours:.2f} (n = 1)"
        assert row["profile"] == "paper"


def test_seeds_are_averaged_and_counted():
    """Over seeds the table gives mean, sample standard deviation and their number."""
    runs = [record(psnr, seed=seed) for seed, psnr in enumerate([30.0, 32.0, 37.0])]
    shown = table(records=runs)
    assert cells(shown)["HyCoNet"]["ours"] == "33.00 ± 3.61 (n = 3)"
    assert "sample standard deviation" in shown.to_markdown()


def test_paper_profile_goes_before_quick():
    """Where both were recorded the quick run is not mixed in."""
    both = [record(20.0, profile="quick"), record(33.0)]
    assert cells(table(records=both))["HyCoNet"]["ours"] == "33.00 (n = 1)"


def test_quick_run_has_no_difference():
    """A quick run is no reproduction, so its distance to the paper means nothing."""
    shown = table(records=[record(profile="quick")])
    row = cells(shown)["HyCoNet"]
    assert (row["ours"], row["profile"]) == ("33.00 (n = 1)", "quick")
    assert row["difference (between scenes)"] == "—"
    assert "A quick run is no reproduction" in shown.to_markdown()


def test_smoke_run_is_never_ours():
    """A smoke number stands under its own label or nowhere."""
    smoke = [record(41.23, profile="smoke", scene="houston-2018-crop")]
    assert "41.23" not in table(records=smoke)._repr_html_()
    shown = table(records=smoke, build=[record(41.23, profile="smoke", scene="planted")])
    row = cells(shown)["HyCoNet"]
    assert row["ours"].startswith("—")
    assert row["profile"] == "—"
    assert row["this build: smoke (planted scene)"] == "41.23 (n = 1)"
    assert "it is no reproduction" in shown.to_markdown()
    assert not shown.to_frame().profile.notna().any()


def test_build_column_says_when_its_condition_differs():
    """A build under another PSF width than the table's says so in its heading."""
    shown = table(build=[record(profile="smoke", scene="planted", condition="sigma=2")])
    assert "this build: smoke (planted scene, sigma=2)" in cells(shown)["HyCoNet"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"paper": "hud"},
        {"table": "II"},
        {"scene": "pavia-centre-crop"},
        {"condition": "sigma=2"},
        {"method": "gsa"},
    ],
)
def test_records_of_other_cells_are_left_out(elsewhere):
    """A number belongs to one paper, table, scene, condition and method."""
    row = cells(table(records=[record(**elsewhere)]))["HyCoNet"]
    assert row["ours"].startswith("—")


def test_missing_number_says_which_record_would_fill_it():
    """A dash carries a mark, and the note of that mark a command to run."""
    shown = table()
    mark = re.fullmatch(r"— (\[\w\])", cells(shown)["GSA"]["ours"])[1]
    note = next(p for p in notes(shown) if p.startswith(mark))
    assert (
        "hsirepro run hyconet --table V --scene houston-2018-crop --condition sigma=0.5 "
        "--method gsa --profile paper" in note
    )
    assert cells(shown)["bicubic"]["paper"] != "—"  # marked as well
    assert any("paper's table does not have this method" in p for p in notes(shown))


def test_missing_metric_of_a_record_is_a_dash():
    """A record without the metric does not fill its cell, and lends it no profile."""
    partial = Record(KEY, {"mPSNR": 33.0})
    shown = table(records=[partial])
    assert cells(shown, "mPSNR")["HyCoNet"]["ours"] == "33.00 (n = 1)"
    assert cells(shown, "mSAM")["HyCoNet"]["ours"].startswith("—")
    assert cells(shown, "mSAM")["HyCoNet"]["profile"] == "—"


def test_methods_that_only_the_paper_has_are_shown_as_such():
    """A baseline that is not implemented here has its published value and an honest dash."""
    shown = table(methods=["hyconet", "CNMF"])
    row = cells(shown)["CNMF"]
    assert row["paper"] == f"{PRINTED['CNMF', 'mPSNR']:.2f}"
    assert any("does not have this method yet" in p for p in notes(shown))


def test_every_mark_has_one_note_and_every_note_a_mark():
    """No footnote hangs in the air."""
    text = table(build=[record(profile="smoke", scene="planted")]).to_markdown()
    grid = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    below = [line for line in text.splitlines() if line.startswith("[")]
    marks = {line.split("]")[0] + "]" for line in below}
    assert marks == set(re.findall(r"\[\w+\]", grid))
    assert len(marks) == len(below) >= 3


@pytest.mark.parametrize("records", [[record()], []], ids=["recorded", "nothing recorded"])
@pytest.mark.parametrize("write", ["_repr_html_", "to_markdown", "to_latex"])
def test_stand_in_scene_is_always_named(write, records):
    """A crop is not the paper's scene, and every format says so, in caption, heading and note."""
    shown = table(scene_title="Houston 2018 crop, 128 x 128", records=records)
    text = getattr(shown, write)()
    assert "stand-in" in text.split("method")[0]
    assert "Stand-in: Houston 2018 crop, 128 x 128, not the paper's scene (houston-2018)." in text
    assert "difference (between scenes)" in text


@pytest.mark.parametrize("write", ["_repr_html_", "to_markdown", "to_latex"])
def test_paper_s_own_scene_is_no_stand_in(write):
    """On the paper's scene the difference is a difference."""
    shown = table(scene="houston-2018", records=[record(scene="houston-2018")])
    text = getattr(shown, write)()
    assert "tand-in" not in text
    assert "between scenes" not in text
    assert shown.groups[0].rows[0].difference == 33.0 - PRINTED["HyCoNet", "mPSNR"]


def test_html_can_be_read_aloud():
    """Caption, header scopes and a scrolling region reach readers who cannot see the table."""
    soup = BeautifulSoup(table()._repr_html_(), "html.parser")
    assert soup.table.find("caption").text.startswith("hyconet, Table V: houston-2018, sigma=0.5")
    scopes = {th.get("scope") for th in soup.find_all("th")}
    assert scopes == {"col", "row", "rowgroup"}
    region = soup.find("div")
    assert (region["role"], region["tabindex"]) == ("region", "0")
    assert region["aria-label"] == soup.table.find("caption").text
    widths = {len(row.find_all(["td", "th"])) for row in soup.table.find_all("tr")}
    assert widths == {1, 5}


def test_headings_carry_unit_and_direction():
    """Every group of rows says its unit and which way is better."""
    soup = BeautifulSoup(table()._repr_html_(), "html.parser")
    assert [th.text for th in soup.find_all("th", scope="rowgroup")] == [
        "mPSNR (dB), ↑ higher is better",
        "mSAM (degrees), ↓ lower is better",
        "ERGAS (unitless), ↓ lower is better",
    ]


def test_csv_gives_every_number_back_exactly(tmp_path):
    """What is rounded on the page is whole in the file, to the last bit."""
    odd = math.pi * 10 + 1e-13
    shown = table(
        records=[record(odd), record(odd / 3, method="gsa")],
        build=[record(odd / 7, profile="smoke", scene="planted")],
    )
    shown.to_csv(tmp_path / "v.csv")
    with (tmp_path / "v.csv").open(newline="") as file:
        rows = {(row["method"], row["metric"]): row for row in csv.DictReader(file)}
    assert len(rows) == 12
    assert float(rows["hyconet", "mPSNR"]["ours_mean"]) == odd
    assert float(rows["gsa", "mPSNR"]["ours_mean"]) == odd / 3
    assert float(rows["hyconet", "mPSNR"]["build_mean"]) == odd / 7
    difference = float(rows["hyconet", "ERGAS"]["difference"])
    assert difference == odd / 30 - PRINTED["HyCoNet", "ERGAS"]
    assert float(rows["hyconet", "mSAM"]["paper"]) == PRINTED["HyCoNet", "mSAM"]
    assert rows["bicubic", "mPSNR"]["ours_mean"] == rows["bicubic", "mPSNR"]["paper"] == ""
    assert rows["hyconet", "mPSNR"]["ours_n"] == "1"


def test_small_numbers_keep_three_digits():
    """ERGAS below one is not rounded away, and large numbers carry no false precision."""
    assert cells(table(records=[record(0.0321)]))["HyCoNet"]["ours"] == "0.0321 (n = 1)"
    assert cells(table(records=[record(33.33333)]))["HyCoNet"]["ours"] == "33.33 (n = 1)"


def test_perfect_estimates_do_not_break_the_table():
    """Equal images have an infinite PSNR, and the table can say so."""
    runs = [record(math.inf, seed=0), record(math.inf, seed=1)]
    assert cells(table(records=runs))["HyCoNet"]["ours"].startswith("inf")


def test_latex_is_escaped_and_aligned():
    """LaTeX gets a column per cell and no character that it would stumble over."""
    text = table(build=[record(profile="smoke", scene="planted_1")]).to_latex()
    assert r"planted\_1" in text
    assert r"\begin{tabular}{lrrrrr}" in text
    assert not re.search(r"(?<!\\)[_%#]", text)
    assert all(ord(letter) < 128 for letter in text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multi" not in line]
    assert {line.count(" & ") for line in rows} == {5}


def test_markdown_is_what_a_terminal_prints():
    """The table's own text is its Markdown, every line of the grid equally wide in cells."""
    shown = table()
    assert repr(shown) == shown.to_markdown()
    grid = [line for line in repr(shown).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in grid} == {6}
    assert len(grid) == 2 + 3 * 5


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"paper": "hyconnet"}, "did you mean 'hyconet'"),
        ({"table": "VI"}, "no table 'VI' in the tables of hyconet"),
        ({"published_condition": "psf_sigma=3"}, "no condition 'psf_sigma=3'"),
        ({"published_condition": None}, r"no condition 'sigma=0.5'.*psf_sigma=0.5"),
        ({"metrics": ["mPNSR"]}, "did you mean 'mPSNR'"),
        ({"methods": ["hycnet"]}, "no method 'hycnet'.*did you mean 'hyconet'"),
        ({"published_names": {"gsa": "GSSA"}, "methods": ["gsa"]}, "no method 'GSSA'.*'GSA'"),
        ({"records": [record(), record()]}, "given twice.*hyconet/V/houston.*seed 0"),
        (
            {"build": [record(profile="smoke"), record(profile="quick")]},
            "one profile, scene and condition.*quick.*smoke",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(changes, text):
    """A slip in a name, or a mixture of runs, stops the table before it shows anything."""
    with pytest.raises(ParameterError, match=f"(?s){text}"):
        table(**changes)


def test_provenance_names_what_made_the_numbers():
    """Profile, seeds, hardware, code, data, date, time and memory stand in one line."""
    first = record()
    later = record(seed=2)
    later = replace(later, provenance={**later.provenance, "wall_time_s": 99.96})
    line = provenance_line([later, first])
    made = first.provenance
    assert line.startswith("2 records: profile paper; seed 0, 2; on ")
    for part in (
        made["hardware"],
        f"code {made['code_hash'][:8]};",
        "data dddddddd;",
        made["date"][:10],
        "12.5 to 100.0 s; 800.0 MB at peak.",
    ):
        assert part in line
    assert provenance_line([first]).startswith("1 record: ")
    assert provenance_line([]) == "No records."


def notes(shown: ComparisonTable) -> list[str]:
    soup = BeautifulSoup(shown._repr_html_(), "html.parser")
    return [p.text for p in soup.find_all("p")]
