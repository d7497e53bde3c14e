"""Laws of the catalogue: what must be true of every entry."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from hsirepro.errors import SceneNotFound
from hsirepro.scenes.catalogue import CATALOGUE, expand_bands

PAPER_SCENES = [
    "indian-pines",
    "ksc",
    "pavia-centre",
    "pavia-university",
    "salinas",
    "washington-dc",
    "houston-2018",
    "chikusei",
    "aviris-jpl",
    "icvl",
    "ntire-2020",
    "harvard",
    "cave",
    "hsrs-sc",
    "aid",
    "pascal-context",
    "cityscapes",
    "hotc",
]
PAPERS = {"hyconet", "hud", "inss", "msf-diff", "semantic-rgb2hsi"}


@pytest.mark.parametrize("name", PAPER_SCENES)
def test_every_scene_of_the_five_papers_is_there(name):
    """A reader of any of the five papers finds its scenes, and where to get them."""
    entry = CATALOGUE[name]
    assert entry.page.startswith("http") or entry.name == "hsrs-sc"
    assert entry.note or entry.files


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_entries_agree_with_themselves(name):
    """Band counts, wavelengths, bad bands and paper crops of an entry fit each other."""
    entry = CATALOGUE[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert entry.kind in {"cube", "set", "rgb", "planted"}
    assert entry.title
    assert entry.sensor
    assert entry.licence != "unknown"
    assert entry.citation
    assert entry.kind != "cube" or len(entry.shape) == 3
    bands = entry.bands
    if bands is not None and entry.wavelengths:
        assert len(entry.wavelengths) == bands
    assert all(250 <= centre <= 2600 for centre in entry.wavelengths)
    assert not entry.wavelengths or entry.wavelength_note, "wavelengths need a source"
    assert all(band < (bands or 0) for band in entry.bad_bands)
    for paper, choice in entry.paper.items():
        assert paper in PAPERS
        assert choice.note
        count = len(expand_bands(choice.bands, len(entry.wavelengths)))
        assert not choice.wavelengths or len(choice.wavelengths) == (count or bands)
        for cut, size in zip((choice.rows, choice.cols), entry.shape, strict=False):
            assert cut is None or 0 <= cut[0] < cut[1] <= size


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_what_can_be_downloaded_can_be_checked(name):
    """Only files with a known hash have an address, and crops are pinned to a commit."""
    for file in CATALOGUE[name].files:
        assert not file.path.startswith(("/", "."))
        assert ".." not in file.path
        assert not file.sha256 or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert not file.url or (file.sha256 and file.bytes)
        if "githubusercontent" in file.url:
            assert re.match(
                r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", file.url
            )


def test_stand_ins_name_scenes_of_the_catalogue():
    """A crop stands in for benchmarks that the catalogue knows."""
    named = [n for e in CATALOGUE.values() for n in e.standin_for.split(", ") if n]
    assert {"houston-2018", "pavia-university"} <= set(named)
    assert set(named) <= set(CATALOGUE)


def test_crops_follow_the_paper():
    """HyCoNet's crops and bands are those of its tables."""
    pavia = CATALOGUE["pavia-university"].paper["hyconet"]
    assert (pavia.rows, pavia.cols, pavia.bands) == ((274, 610), (0, 336), ((10, 103),))
    assert (pavia.wavelengths[0], pavia.wavelengths[-1]) == (466, 834)
    houston = CATALOGUE["houston-2018-crop"]
    kept = expand_bands(houston.paper["hyconet"].bands, 48)
    assert len(kept) == 46
    assert round(houston.wavelengths[kept[0]]) == 403
    assert round(houston.wavelengths[kept[-1]]) == 1047
    washington = CATALOGUE["washington-dc"].paper["hyconet"]
    assert len(washington.wavelengths) == 191
    inss = CATALOGUE["aviris-jpl"].paper["inss"]
    assert len(expand_bands(inss.bands, 224)) == 196
    diffusion = CATALOGUE["chikusei"].paper["msf-diff"]
    assert len(expand_bands(diffusion.bands, 128)) == 59


def test_unknown_scene_offers_the_nearest():
    """A misspelt scene gets the names that it could have been."""
    with pytest.raises(SceneNotFound, match="houston-2018-corp") as caught:
        CATALOGUE["houston-2018-corp"]
    assert "did you mean 'houston-2018-crop'" in str(caught.value)


def test_sets_list_their_members():
    """The 85 plots of IDTReeS are members of one set; two of them are the same plot."""
    members = CATALOGUE["neon-idtrees"].members()
    assert len(members) == 85
    assert len({file.sha256 for file in members.values()}) == 84
    assert members["OSBS_16"].sha256 == members["OSBS_35"].sha256
    assert CATALOGUE["houston-2018-crop"].members() == {}


def test_listing_scenes_loads_neither_xarray_nor_torch():
    """The list of scenes is quick because the heavy libraries stay out of it."""
    code = (
        "import sys; from hsirepro.scenes import scene_table; rows = scene_table();"
        "heavy = {'torch', 'xarray', 'scipy', 'matplotlib', 'rasterio', 'spectral'};"
        "assert rows; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
