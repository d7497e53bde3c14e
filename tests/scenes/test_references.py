"""Reference unmixings: planted ones in every layout, and the published ones where they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from hsirepro.errors import FormatError, HashMismatch, SceneNotFound
from hsirepro.scenes import CATALOGUE, open_scene, reference_unmixing
from hsirepro.scenes.catalogue import ReferenceKeys, SceneEntry, SceneFile, _load
from hsirepro.scenes.locate import sha256_of

ROWS, COLS, BANDS, NAMES = 5, 7, 11, ("grass", "sand", "tar")
PUBLISHED = [name for name, entry in CATALOGUE.items() if entry.reference]


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Return endmembers (L, p) and abundances (p, H, W)."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), (ROWS, COLS))
    return rng.random((BANDS, 3)), np.moveaxis(shares, 2, 0)


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Return a function that puts a scene with its reference into the catalogue."""

    def publish(apart: bool = False, **variables: np.ndarray) -> None:
        savemat(tmp_path / "made.mat", variables)
        digest = sha256_of(tmp_path / "made.mat")
        file = SceneFile("made.mat", "reference" if apart else "cube", sha256=digest)
        entry = SceneEntry(
            "made",
            "Made up",
            "none",
            shape=(ROWS, COLS, BANDS),
            files=(SceneFile("other.mat"), file) if apart else (file,),
            reference=ReferenceKeys(NAMES, "M", "A"),
        )
        monkeypatch.setitem(_load(), "made", entry)
        monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path))

    return publish


@pytest.mark.parametrize("by_column", [True, False])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_reference_has_one_layout(publish, by_column, turned, apart):
    """However they are stored, endmembers and abundances come back as they were planted."""
    endmembers, abundances = planted()
    stored = np.moveaxis(abundances, 0, 2)
    if by_column:  # pixel by pixel, down each column first
        stored = np.stack([abundances[:, y, x] for x in range(COLS) for y in range(ROWS)], axis=1)
    publish(apart, M=endmembers.T if turned else endmembers, A=stored)
    found = reference_unmixing("made")
    np.testing.assert_array_equal(found.endmembers, endmembers)
    np.testing.assert_array_equal(found.abundances, abundances)
    assert found.names == NAMES
    assert found.endmembers.dtype == found.abundances.dtype == np.float64


def test_what_is_no_reference_is_refused(publish, tmp_path):
    """Another number of materials, shares that do not sum to one, another or no file, no entry."""
    endmembers, abundances = planted()
    publish(M=endmembers[:, :2], A=np.moveaxis(abundances, 0, 2))
    with pytest.raises(FormatError, match="does not hold 3 materials of 'made'"):
        reference_unmixing("made")
    publish(M=endmembers, A=1.1 * np.moveaxis(abundances, 0, 2))
    with pytest.raises(FormatError, match="no shares of one"):
        reference_unmixing("made")
    publish(M=endmembers, B=np.moveaxis(abundances, 0, 2))
    with pytest.raises(FormatError, match="'A'"):
        reference_unmixing("made")
    savemat(tmp_path / "made.mat", {"M": endmembers, "A": endmembers})
    with pytest.raises(HashMismatch):
        reference_unmixing("made")
    (tmp_path / "made.mat").unlink()
    with pytest.raises(SceneNotFound, match=r"made\.mat"):
        reference_unmixing("made")
    with pytest.raises(SceneNotFound, match="no reference unmixing of 'pavia-centre'") as caught:
        reference_unmixing("pavia-centre")
    assert "jasper-ridge" in str(caught.value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_reference_fits_its_scene(data_dir, name):
    """Endmembers times abundances give the image, up to a scale each; turned pixels do not."""
    reference, cube = reference_unmixing(name), open_scene(name).values.astype(np.float64)

    def left_over(abundances: np.ndarray) -> float:
        parts = np.einsum("lp,phw->phwl", reference.endmembers, abundances)
        parts = parts.reshape(len(parts), -1)
        scales = np.linalg.solve(parts @ parts.T, parts @ cube.ravel())
        return float(np.linalg.norm(scales @ parts - cube.ravel()) / np.linalg.norm(cube))

    error = left_over(reference.abundances)
    assert error < 0.35
    assert left_over(reference.abundances.transpose(0, 2, 1)) > 1.5 * error


def test_published_references_of_one_scene_agree(data_dir):
    """Two files of Samson, one by columns of pixels, hold the same reference; so does Jasper."""
    for name in ("samson", "jasper-ridge"):
        one, other = reference_unmixing(name), reference_unmixing(f"{name}-reference")
        np.testing.assert_array_equal(one.abundances, other.abundances)
        np.testing.assert_array_equal(one.endmembers, other.endmembers)
        np.testing.assert_array_equal(open_scene(name), open_scene(f"{name}-reference"))


def test_materials_have_the_spectra_of_their_names(data_dir):
    """Plants have a red edge, water is darker in the infrared than all, roads are grey."""
    jasper, nm = reference_unmixing("jasper-ridge"), open_scene("jasper-ridge").wavelength.values

    def at(name: str, wave: float) -> float:
        return float(jasper.endmembers[np.abs(nm - wave).argmin(), jasper.names.index(name)])

    assert at("tree", 860) > 4 * at("tree", 670)
    assert at("water", 1650) < 0.1 * min(at(name, 1650) for name in ("tree", "soil", "road"))
    assert at("road", 450) / at("road", 1650) > 2 * at("soil", 450) / at("soil", 1650)
    samson, nm = reference_unmixing("samson"), open_scene("samson").wavelength.values
    red, infrared = (samson.endmembers[np.abs(nm - wave).argmin()] for wave in (670, 860))
    assert samson.names[int((infrared / red).argmax())] == "tree"
    assert samson.names[int((infrared / red).argmin())] == "water"
    moffett = reference_unmixing("moffett-field")
    assert moffett.names[int(moffett.endmembers.max(axis=0).argmin())] == "water"
    steps = np.diff(moffett.endmembers, axis=0).max(axis=0) / moffett.endmembers.max(axis=0)
    assert moffett.names[int(steps.argmax())] == "vegetation"
