"""The numbers and claims of the papers are facts, and are checked as such."""

from __future__ import annotations

import itertools

import pytest

from hsirepro.errors import FormatError, ParameterError
from hsirepro.papers import published as reader
from hsirepro.papers.published import claims, papers, published

HEADER = "paper,table,dataset,condition,method,metric,unit,better,value,spread"
ROW = "test,I,pavia,sigma=1,GSA,mPSNR,dB,higher,34.5,0.2"
CLAIM = '[[claim]]\nid = "test-a"\nname = "A"\nsource = "Fig. 1"\nsays = "A."\ncheck = "a > b"\n'


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Return a function that writes the files of a paper called 'test'."""
    monkeypatch.setattr(reader, "FOLDER", tmp_path)
    (tmp_path / "test").mkdir()

    def write(numbers: str = f"{HEADER}\n{ROW}\n", said: str = CLAIM) -> None:
        (tmp_path / "test" / "published.csv").write_text(numbers, encoding="utf-8")
        (tmp_path / "test" / "claims.toml").write_text(said, encoding="utf-8")

    return write


def test_hyconet_tables_are_complete():
    """Tables II-V print eleven methods, three metrics, three PSF widths, one scene each."""
    rows = published("hyconet")
    assert rows.groupby("table").dataset.unique().str[0].to_dict() == {
        "II": "pavia-university",
        "III": "indian-pines",
        "IV": "washington-dc",
        "V": "houston-2018",
    }
    found = set(zip(rows.table, rows.condition, rows.method, rows.metric, strict=True))
    expected = set(
        itertools.product(
            ["II", "III", "IV", "V"],
            ["psf_sigma=0.5", "psf_sigma=1", "psf_sigma=2"],
            [
                *("CNMF", "GSOMP", "FUSE", "GLPHS", "GSA", "HySure", "ICCV15", "MAPSMM"),
                *("SFIMHS", "uSDN", "HyCoNet"),
            ],
            ["mPSNR", "mSAM", "ERGAS"],
        )
    )
    assert found == expected
    assert len(rows) == len(expected) == 396


def test_hyconet_units_and_directions():
    """PSNR in dB grows, the angle in degrees and the dimensionless ERGAS fall with quality."""
    kinds = published("hyconet").groupby("metric")[["unit", "better"]].agg(set)
    assert kinds.to_dict("index") == {
        "mPSNR": {"unit": {"dB"}, "better": {"higher"}},
        "mSAM": {"unit": {"degree"}, "better": {"lower"}},
        "ERGAS": {"unit": {""}, "better": {"lower"}},
    }


def test_hyconet_values_are_those_of_the_paper():
    """Two cells of Tables II and V, read off the page, and the range that each metric can have."""
    rows = published("hyconet").set_index(["table", "condition", "method", "metric"]).value
    assert rows["II", "psf_sigma=0.5", "HyCoNet", "mSAM"] == 3.4107
    assert rows["II", "psf_sigma=0.5", "GSA", "mPSNR"] == 34.3943
    assert rows.xs("mPSNR", level="metric").between(20, 40).all()
    assert rows.xs("mSAM", level="metric").between(0, 30).all()
    assert (rows.xs("ERGAS", level="metric") > 0).all()


def test_paper_s_own_numbers_bear_out_its_first_claim():
    """Typing errors would show here: in print HyCoNet has the highest mPSNR in all 12 columns."""
    rows = published("hyconet").query("metric == 'mPSNR'")
    best = rows.loc[rows.groupby(["table", "condition"]).value.idxmax(), "method"]
    assert best.tolist() == ["HyCoNet"] * 12


@pytest.mark.parametrize("name", papers())
def test_every_claim_can_be_decided(name):
    """A claim says where it stands, what it says, and what our records have to show."""
    said = claims(name)
    assert len(said) == len({claim["id"] for claim in said}) > 0
    assert all(claim["check"].strip() and claim["source"].strip() for claim in said)


def test_spread_is_read_where_printed(paper):
    """A printed spread is a number, a blank one is NaN, and words like NA stay words."""
    paper(f"{HEADER}\n{ROW}\n{ROW.replace('GSA', 'NA').replace(',0.2', ',')}\n")
    rows = published("test")
    assert rows.spread.tolist()[0] == 0.2
    assert rows.spread.isna().tolist() == [False, True]
    assert rows.method.tolist() == ["GSA", "NA"]


def test_unknown_paper_is_answered_with_the_nearest():
    """A slip of the pen in the paper's name is met with the right name."""
    for read in (published, claims):
        with pytest.raises(ParameterError, match="no paper 'hyconett'") as caught:
            read("hyconett")
        assert "did you mean 'hyconet'?" in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (f"{HEADER},note\n{ROW},x\n", "has the columns paper,.*note"),
        (f"{HEADER}\n{ROW.replace('GSA', '')}\n", "empty field.*line 2"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('34.5', '')}\n", "empty field.*line 3"),
        (f"{HEADER}\n{ROW.replace('test', 'other')}\n", "not of test"),
        (f"{HEADER}\n{ROW.replace('higher', 'up')}\n", "neither higher nor lower"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('34.5', '35')}\n", "printed twice.*line 3"),
        (f"{HEADER}\n{ROW.replace('34.5', '3x.5')}\n", "value that is not a number.*3x.5"),
        (f"{HEADER}\n{ROW.replace('0.2', 'tiny')}\n", "spread that is not a number.*tiny"),
    ],
)
def test_slips_in_the_numbers_stop_the_reader(paper, numbers, text):
    """A table that is incomplete or contradicts itself is refused, with the line to look at."""
    paper(numbers)
    with pytest.raises(FormatError, match=f"(?s){text}"):
        published("test")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (CLAIM.replace('says = "A."\n', ""), "'test-a' has the fields check, id, name, source"),
        (CLAIM.replace('"A."', '""'), "'test-a' has the fields"),
        (CLAIM.replace('"A."', "3"), "'test-a' has the fields"),
        (CLAIM + CLAIM, "'test-a' is used twice"),
        (CLAIM.replace("test-a", "hud-a"), "'hud-a'.*does not start with 'test-'"),
        (CLAIM.replace('id = "test-a"\n', ""), "'without id'"),
    ],
)
def test_slips_in_the_claims_stop_the_reader(paper, said, text):
    """A claim without its parts, or with another's id, is refused by name."""
    paper(said=said)
    with pytest.raises(FormatError, match=text):
        claims("test")
