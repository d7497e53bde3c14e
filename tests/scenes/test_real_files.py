"""Laws on the real crops, where HSIREPRO_DATA names them."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import FormatError, HashMismatch
from hsirepro.scenes import CATALOGUE, drop_bad_bands, open_scene, scene_table, verify
from hsirepro.scenes.locate import is_here

CROPS = [
    name
    for name, entry in CATALOGUE.items()
    if entry.kind == "cube" and all(f.url and f.path.count("/") for f in entry.needed)
]


@pytest.mark.parametrize("name", CROPS)
def test_crop_opens_as_the_catalogue_says(data_dir, name):
    """Every crop opens with its shape, hash, wavelengths and a plausible range of values."""
    entry = CATALOGUE[name]
    cube = open_scene(name)
    assert cube.shape == entry.shape
    assert cube.dtype == np.float32
    assert cube.attrs["sha256"] in {f.sha256 for f in entry.files}
    assert np.isfinite(cube.values).all()
    assert cube.values.std() > 0
    if entry.units.startswith("reflectance"):
        assert drop_bad_bands(cube).values.min() > -0.2
        assert drop_bad_bands(cube).values.max() < 1.6
    known = bool(entry.wavelengths) or "header" in entry.wavelength_note
    assert (cube.wavelength.attrs["units"] == "nm") == known


def test_every_file_has_its_hash(data_dir):
    """All files that came with the data folder are those that the catalogue describes."""
    statuses = verify()
    assert [s for s in statuses if s.status == "wrong"] == []
    ok = {s.file.path for s in statuses if s.status == "ok"}
    assert {f.path for name in CROPS for f in CATALOGUE[name].files} <= ok


def test_sets_open_member_by_member(data_dir):
    """Each plot of a set opens under its own name with the wavelengths of the set."""
    for member in ("MLBS_1", "OSBS_9"):
        cube = open_scene(f"neon-idtrees/{member}")
        assert cube.shape == (20, 20, 369)
        assert cube.attrs["source"] == f"neon-idtrees/{member}"
        assert 0 < cube.values.mean() < 1
    assert open_scene("pdass-rgb/2_3").shape == (512, 512, 3)


def test_table_knows_what_is_here(data_dir):
    """The list of scenes shows crops as here, and the planted scene always."""
    here = {row.name for row in scene_table() if row.here}
    assert {"houston-2018-crop", "neon-idtrees", "aid-150", "planted"} <= here
    assert is_here(CATALOGUE["hymap-berlin"])
    assert "chikusei" not in here


def test_hymap_band_names(data_dir):
    """HyMap's 111 band centres come from its band names, in nm and without order broken."""
    cube = open_scene(
        data_dir / "scenes" / "envi" / "HyMap02_Berlin_Urban_Gradient_2009.hdr", wavelengths=None
    )
    assert cube.shape == (100, 67, 111)
    assert cube.wavelength.attrs["units"] == "nm"
    np.testing.assert_allclose(cube.wavelength[[0, 1, -1]], [455.4, 469.4, 2446.5], atol=0.01)
    assert cube.attrs["gsd_m"] == 9.0
    assert 0 <= cube.values.min() < cube.values.max() < 1


def test_enmap_is_hymap_blurred(data_dir):
    """The simulated 30 m scene follows the 9 m one it was made from: rows and columns agree."""
    fine, coarse = open_scene("hymap-berlin"), open_scene("enmap-berlin-hymap-bands")
    np.testing.assert_allclose(fine.wavelength, coarse.wavelength)
    band = 40
    rows = [round(10 * r / 3 - 2 + 1.2) for r in range(2, 28)]
    cols = [round(10 * c / 3 + 1 + 1.2) for c in range(2, 18)]
    means = [[fine.values[r - 1 : r + 2, c - 1 : c + 2, band].mean() for c in cols] for r in rows]
    follows = np.corrcoef(np.ravel(means), coarse.values[2:28, 2:18, band].ravel())[0, 1]
    swapped = np.corrcoef(np.ravel(means), np.ravel(coarse.values[2:28, 2:18, band][::-1, ::-1]))[
        0, 1
    ]
    assert follows > 0.9
    assert follows > swapped + 0.3


def test_aviris_ng_bad_bands(data_dir):
    """All wild values of the AVIRIS-NG crop lie in the 59 bands that its bbl marks."""
    cube = open_scene("aviris-ng-crop")
    assert len(cube.attrs["bad_bands"]) == 59
    good = drop_bad_bands(cube)
    assert good.sizes["wavelength"] == 373
    assert -0.05 < good.values.min() < good.values.max() < 1


def test_muufl_axes_are_matlabs(data_dir):
    """The v7.3 cube has its bands last, and its mask marks pixels of the same grid."""
    path = data_dir / "scenes" / "casi" / "MUUFL.mat"
    cube = open_scene(path)
    assert cube.shape == (100, 100, 64)
    steps = [float(np.abs(np.diff(cube.values, axis=axis)).mean()) for axis in range(3)]
    assert steps[2] < min(steps[:2]), "spectra are smoother than images"
    other = open_scene("muufl-unmixing")
    assert abs(steps[0] / steps[1] - 1) < 0.5
    assert other.shape == (90, 90, 64)


def test_columns_of_pixels_line_up_with_the_reference(data_dir):
    """Jasper Ridge unfolds so that the linear mixing model of its reference fits."""
    from scipy.io import loadmat

    reference = loadmat(data_dir / "scenes" / "unmixing" / "Jasper.mat")
    cube = open_scene("jasper-ridge").values / 5437.0
    model = reference["S_GT"] @ reference["GT"]
    scale = (cube * model).sum() / (model**2).sum()
    error = np.sqrt(np.mean((cube - scale * model) ** 2))
    turned = np.sqrt(np.mean((cube.transpose(1, 0, 2) - scale * model) ** 2))
    assert error < 0.06
    assert turned > 3 * error


def test_own_path_of_a_file_with_two_cubes(data_dir):
    """The Houston file holds an image and a cube: the error lists both, the key decides."""
    path = data_dir / "scenes" / "casi" / "houston_dataset.mat"
    with pytest.raises(FormatError, match="more than one") as caught:
        open_scene(path)
    assert "hyprImg 128 x 128 x 48" in str(caught.value)
    by_key, by_name = open_scene(path, key="hyprImg"), open_scene("houston-2018-crop")
    np.testing.assert_array_equal(by_key.values, by_name.values)


def test_wavelengths_of_the_file_agree_with_the_catalogue(data_dir):
    """Where a file knows its wavelengths they are those that the catalogue gives."""
    for name, path in {
        "aviris-vi-demo": "aviris/a_hsi_img_for_VI_demo.mat",
        "pavia-university-lowres": "rosis/reg_pavia_dataset.mat",
    }.items():
        own = open_scene(data_dir / "scenes" / path, key=CATALOGUE[name].key)
        np.testing.assert_allclose(own.wavelength, CATALOGUE[name].wavelengths, atol=0.01)


def test_oxygen_line_lies_where_the_wavelengths_put_it(data_dir):
    """The O2-A absorption at 760.5 nm is the dip nearest to it in Houston's mean spectrum."""
    cube = open_scene("houston-2018-crop")
    mean = cube.values.mean(axis=(0, 1))
    near = np.flatnonzero(np.abs(cube.wavelength.values - 760) < 45)
    assert cube.wavelength.values[near[np.argmin(mean[near])]] == pytest.approx(760.9)


def test_flipped_byte_of_a_real_file(data_dir, tmp_path, monkeypatch):
    """One flipped byte in a real crop names both hashes."""
    file = CATALOGUE["pavia-university-crop"].files[0]
    content = bytearray((data_dir / file.path).read_bytes())
    content[-100] ^= 1
    (tmp_path / file.name).write_bytes(bytes(content))
    monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path))
    with pytest.raises(HashMismatch) as caught:
        open_scene("pavia-university-crop")
    assert file.sha256 in str(caught.value)
    assert str(caught.value).count("sha256 ") == 2


def test_paper_choice_on_a_real_crop(data_dir):
    """HyCoNet's 46 bands of Houston span 403 to 1047 nm."""
    cube = open_scene("houston-2018-crop", paper="hyconet")
    assert cube.shape == (128, 128, 46)
    assert [round(float(w)) for w in cube.wavelength[[0, -1]]] == [403, 1047]
