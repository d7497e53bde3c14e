"""Laws of open_scene: names, paths, and what the user may override."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from hsirepro.errors import (
    FormatError,
    ParameterError,
    SceneNotFound,
    ShapeError,
    WavelengthError,
)
from hsirepro.scenes import catalogue, open_scene
from hsirepro.scenes.catalogue import PaperChoice, SceneEntry, SceneFile

from .formats import PLANTED, SHAPE, SPOT, planted_cube, wavelengths_nm


@pytest.fixture
def mine(tmp_path):
    """Return the path of the user's own cube."""
    path = tmp_path / "mine.npy"
    np.save(path, planted_cube())
    return path


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Put a scene 'tiny' that is here into the catalogue; returns a way to change it."""
    monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path))

    def put(array=None, **fields):
        path = tmp_path / "tiny.npz"
        np.savez(path, cube=planted_cube() if array is None else array)
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
        file = SceneFile("tiny.npz", bytes=path.stat().st_size, sha256=sha)
        base = {"title": "Tiny", "sensor": "Toy", "shape": SHAPE, "key": "cube", "files": (file,)}
        entry = SceneEntry(name="tiny", **(base | fields))
        planted = SceneEntry(name="planted", title="P", sensor="S", kind="planted")
        monkeypatch.setattr(catalogue, "_load", lambda: {"tiny": entry, "planted": planted})
        return sha

    put()
    return put


def test_own_cube_is_labelled_with_what_is_known(mine):
    """A user's file opens as float32 with its hash; what is unknown says so."""
    cube = open_scene(mine)
    assert cube.dims == ("y", "x", "wavelength")
    assert cube.dtype == np.float32
    assert cube.attrs == {
        "units": "unknown",
        "sensor": "unknown",
        "source": "mine.npy",
        "sha256": hashlib.sha256(mine.read_bytes()).hexdigest(),
        "bad_bands": [],
    }


def test_catalogue_labels_are_complete(scene):
    """A scene of the catalogue carries units, sensor, source, hash and what else is known."""
    sha = scene(
        wavelengths=tuple(wavelengths_nm()),
        wavelength_note="nominal",
        bad_bands=(3,),
        units="reflectance",
        scale=100.0,
        gsd_m=1.5,
        licence="CC0",
        standin_for="big",
    )
    cube = open_scene("tiny")
    assert cube.values[SPOT] == pytest.approx(PLANTED / 100)
    np.testing.assert_allclose(cube.wavelength, wavelengths_nm())
    expected = {"units": "reflectance", "sensor": "Toy", "source": "tiny", "sha256": sha}
    expected |= {"bad_bands": [3], "gsd_m": 1.5, "licence": "CC0", "standin_for": "big"}
    expected |= {"wavelength_note": "nominal", "title": "Tiny"}
    assert cube.attrs == expected


def test_names_win_over_files_and_paths_over_names(scene, tmp_path, monkeypatch):
    """A name of the catalogue means the catalogue; ./name and Path mean the file."""
    monkeypatch.chdir(tmp_path)
    Path("tiny").write_text("not a cube")
    assert open_scene("tiny").attrs["source"] == "tiny"
    for own in ("./tiny", Path("tiny")):
        with pytest.raises(FormatError, match="'tiny' looks like ENVI data"):
            open_scene(own)


def test_wavelengths_from_a_list_or_a_file(mine, tmp_path):
    """Band centres come from a list, or from the first column of a text file with headings."""
    table = tmp_path / "centres.spc"
    rows = [f"{w:.3f}\t9.8\t{n}" for n, w in enumerate(wavelengths_nm())]
    table.write_text("\n".join(["FILE centres", "------", *rows]) + "\n")
    by_list = open_scene(mine, wavelengths=wavelengths_nm())
    by_file = open_scene(mine, wavelengths=table)
    assert by_list.wavelength.attrs["units"] == "nm"
    np.testing.assert_allclose(by_list.wavelength, wavelengths_nm())
    np.testing.assert_allclose(by_file.wavelength, wavelengths_nm(), atol=1e-3)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([450.0, 550.0], ShapeError, "2 wavelengths were given for 24 bands"),
        ([0.4, 0.5], WavelengthError, "look like micrometres"),
        ([400.0, float("nan")], WavelengthError, "positive numbers"),
        ([], WavelengthError, "positive numbers"),
        ([1, 2, "x"], WavelengthError, "positive numbers"),
        ({"a": 1}, WavelengthError, "positive numbers"),
        ([10**400], WavelengthError, "positive numbers"),
        ([450.0] * 9, ShapeError, "its 9 centres fit axis 2: store the cube as rows x columns"),
        ("no-such-file.txt", WavelengthError, "'no-such-file.txt' does not exist"),
    ],
)
def test_impossible_wavelengths(mine, given, error, text):
    """Wavelengths that do not fit the cube are refused before anything is computed."""
    with pytest.raises(error, match=text):
        open_scene(mine, wavelengths=given)


def test_scale_divides(mine, scene):
    """The user's scale divides stored values and replaces the catalogue's."""
    scene(scale=100.0, units="reflectance")
    for source in (mine, "tiny"):
        cube = open_scene(source, scale=2)
        assert cube.values[SPOT] == PLANTED / 2
        assert cube.attrs["units"] == "stored value / 2"


@pytest.mark.parametrize("scale", ["1e4", 0, -1, float("nan"), True, 1e-50, 1e39, 10**400])
def test_impossible_scales(mine, scale):
    """A scale must be a positive number, not its text."""
    with pytest.raises(ParameterError, match="scale="):
        open_scene(mine, scale=scale)


def test_paper_cuts_rows_columns_and_bands(scene):
    """paper=... applies the crop, renumbers bad bands, and says what it did."""
    choice = PaperChoice(rows=(2, 5), cols=(1, 9), bands=((3, 5), (20, 24)), note="inferred")
    scene(wavelengths=tuple(wavelengths_nm()), bad_bands=(4, 9), paper={"hyconet": choice})
    cube = open_scene("tiny", paper="hyconet")
    assert cube.shape == (3, 8, 6)
    assert cube.values[1, 7, 5] == PLANTED
    np.testing.assert_allclose(cube.wavelength, wavelengths_nm()[[3, 4, 20, 21, 22, 23]])
    assert cube.attrs["bad_bands"] == [1]
    assert (cube.attrs["paper"], cube.attrs["paper_note"]) == ("hyconet", "inferred")


def test_paper_may_bring_its_own_wavelengths(scene):
    """Band centres that a paper's code assumes replace the scene's, but not the user's."""
    choice = PaperChoice(bands=((0, 2),), wavelengths=(500.0, 600.0))
    scene(wavelengths=tuple(wavelengths_nm()), paper={"hyconet": choice})
    assert list(open_scene("tiny", paper="hyconet").wavelength) == [500, 600]
    own = open_scene("tiny", paper="hyconet", wavelengths=wavelengths_nm() + 1)
    np.testing.assert_allclose(own.wavelength, wavelengths_nm()[:2] + 1)


def test_paper_that_does_not_use_the_scene(scene, mine):
    """A paper's choice is refused where there is none."""
    with pytest.raises(ParameterError, match="no choice of paper 'hyconet' for 'tiny'"):
        open_scene("tiny", paper="hyconet")
    with pytest.raises(ParameterError, match="not for files"):
        open_scene(mine, paper="hyconet")


def test_columns_of_pixels_become_an_image(scene):
    """A matrix of bands x pixels runs down the columns first, as MATLAB stores images."""
    cube = planted_cube()
    matrix = cube.reshape(-1, SHAPE[2], order="F").T
    scene(matrix, layout="bands x pixels")
    assert open_scene("tiny").values[SPOT] == PLANTED
    np.testing.assert_array_equal(open_scene("tiny").values, cube)
    scene(matrix[:-1], layout="bands x pixels")
    with pytest.raises(FormatError, match="24 x 45"):
        open_scene("tiny")


def test_only_the_bands_of_the_scene_are_taken(scene):
    """Where a file holds more than the scene's bands the others are left out."""
    scene(shape=(5, 9, 22), take_bands=((0, 22),))
    assert open_scene("tiny").shape == (5, 9, 22)


def test_shape_must_be_that_of_the_catalogue(scene):
    """A file of another shape is not the scene."""
    scene(shape=(9, 5, 24))
    with pytest.raises(FormatError, match=r"shape \(5, 9, 24\), the catalogue says \(9, 5, 24\)"):
        open_scene("tiny")


def test_key_belongs_to_files(scene):
    """Variables are chosen in files; the catalogue has chosen already."""
    with pytest.raises(ParameterError, match="cannot be combined"):
        open_scene("tiny", key="rgb")


@pytest.mark.parametrize(
    ("scene_name", "text"),
    [
        ("houston-2018-corp", "did you mean 'houston-2018-crop'"),
        ("missing/cube.hdr", "'missing/cube.hdr' does not exist"),
        ("cube.mat", "'cube.mat' does not exist"),
        ("neon-idtrees/MLBS_999", "has no member 'MLBS_999'"),
        ("neon-idtrees", "a set of many cubes"),
        ("icvl", "open one cube by its path"),
        ("cityscapes", "a set of RGB images"),
        (".", "is a folder"),
    ],
)
def test_what_is_neither_scene_nor_file(scene_name, text):
    """Each way of naming nothing gets its own answer."""
    with pytest.raises(SceneNotFound) as caught:
        open_scene(scene_name)
    assert text in str(caught.value)


def test_planted_scene_always_opens():
    """The built-in scene needs no file, is finite, and is the same every time."""
    first, second = open_scene("planted"), open_scene("planted")
    assert first.identical(second)
    assert first.wavelength.attrs["units"] == "nm"
    assert np.isfinite(first.values).all()
    with pytest.raises(ParameterError, match="planted"):
        open_scene("planted", scale=2)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("µm", 1e3),
        ("μm", 1e3),
        ("um", 1e3),
        ("Microns", 1e3),
        ("micron", 1e3),
        ("Micrometres", 1e3),
        ("Nanometres", 1.0),
        ("m", 1e9),
        ("GHz", None),
    ],
)
def test_units_of_wavelength(unit, factor):
    """Units of wavelength in the spellings that files use."""
    from hsirepro.scenes.wavelengths import unit_factor

    assert unit_factor(unit) == factor
