"""A pair of one's own: opening, what it says of its cameras, and judging without a truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from hsirepro.errors import (
    FormatError,
    ParameterError,
    PixelError,
    SceneNotFound,
    ShapeError,
    WavelengthError,
)
from hsirepro.optics import CropWarning, PointSpread, add_noise, gaussian_kernel
from hsirepro.papers.hyconet.own_pair import (
    OwnPair,
    calibrated,
    consistency,
    coverage_from_file,
    estimate_sensors,
    estimated_coverage,
    hidden_change,
    methods_of,
    open_pair,
    reduced,
    run_method,
)
from hsirepro.scenes import open_scene
from hsirepro.scenes.cube import from_tensor, make_cube, to_tensor

NM = np.linspace(430.0, 860.0, 60)


@pytest.fixture(scope="module")
def planted() -> OwnPair:
    return open_pair("planted")


@pytest.fixture(scope="module")
def sensors(planted):
    return estimate_sensors(planted)


@pytest.fixture
def files(tmp_path, planted):
    """Return a function that stores two images, and returns what open_pair takes."""

    def store(hsi=None, msi=None, nm=NM):
        given = {"hsi": str(tmp_path / "mine.npy"), "msi": str(tmp_path / "sharp.npy")}
        np.save(given["hsi"], planted.hsi.values if hsi is None else hsi)
        np.save(given["msi"], planted.msi.values if msi is None else msi)
        if nm is not None:
            np.savetxt(tmp_path / "nm.txt", nm)
            given["wavelengths"] = str(tmp_path / "nm.txt")
        return given

    return store


@pytest.fixture
def bands(tmp_path):
    """Return a function that writes a file of MSI bands and returns its path."""

    def write(text):
        (tmp_path / "bands.txt").write_text(text, "utf-8")
        return str(tmp_path / "bands.txt")

    return write


# Opening


def test_two_files_become_a_pair(files, planted):
    """The ratio follows from the sizes, and an MSI needs no wavelengths."""
    pair = open_pair(**files())
    assert pair.ratio == 4
    np.testing.assert_array_equal(pair.hsi.values, planted.hsi.values)
    np.testing.assert_array_equal(pair.msi.values, planted.msi.values)
    np.testing.assert_allclose(pair.hsi.wavelength, NM)
    assert pair.names == ("band 1", "band 2", "band 3", "band 4")
    assert pair.truth is None
    assert pair.notes == ()


def test_one_file_becomes_the_truth(planted):
    """Without an MSI, the scene is degraded, with the OLI bands that it covers."""
    assert planted.names == ("blue", "green", "red", "nir")
    assert planted.truth is not None
    xr.testing.assert_allclose(planted.truth, open_scene("planted"))
    np.testing.assert_array_equal(planted.psf.kernel, gaussian_kernel(4, 0.5))
    other = open_pair("planted", ratio=3, sigma=2.0)
    assert (other.ratio, other.hsi.shape) == (3, (16, 16, 60))
    np.testing.assert_array_equal(other.psf.kernel, gaussian_kernel(3, 2.0))
    assert "sigma 2 MSI pixels, Landsat 8 OLI blue, green, red, nir" in other.notes[-1]


def test_images_are_cleaned_and_it_is_said(files, planted):
    """Black bands go, negative pixels become 0, bands are put in order; each has its sentence."""
    hsi = planted.hsi.values.copy()
    hsi[:, :, 7] = 0
    hsi[0, 0, 3] = -0.1
    pair = open_pair(**files(hsi=hsi[:, :, ::-1], nm=NM[::-1]))
    assert pair.hsi.sizes["wavelength"] == 59
    assert (np.diff(pair.hsi.wavelength) > 0).all()
    assert float(pair.hsi.min()) == 0
    said = " ".join(pair.notes)
    assert "no pixel is above 0: 1." in said
    assert "negative" in said
    assert "order of their wavelengths" in said


def test_a_crop_takes_the_same_ground_of_both(files, planted):
    """Rows, then columns of the HSI; the MSI is cut to them, and NaN outside does not matter."""
    hsi, msi = planted.hsi.values.copy(), planted.msi.values.copy()
    hsi[0, 0], msi[:2, :2] = np.nan, np.nan
    with pytest.raises(PixelError, match=r"(?s)NaN.*-p part"):
        open_pair(**files(hsi, msi))
    pair = open_pair(**files(hsi, msi), part="2:8,3:12")
    np.testing.assert_array_equal(pair.hsi, hsi[2:8, 3:12])
    np.testing.assert_array_equal(pair.msi, msi[8:32, 12:48])
    alone = open_pair(files(hsi)["hsi"], wavelengths=files()["wavelengths"], part="2:10,4:12")
    assert alone.truth.shape == (8, 8, 60)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("2-8,3-9", "is not a window"),
        ("0:13,0:4", "rows 0:12, columns 0:12"),
        ("4:4,0:4", "inside"),
    ],
)
def test_a_crop_that_is_none_is_refused(files, part, text):
    """The error shows how to write it, and how large the image is."""
    with pytest.raises(ParameterError, match=rf"(?s){text}.*0:256,100:356"):
        open_pair(**files(), part=part)


def test_an_hsi_of_hardly_a_pixel_is_refused(files):
    """From one pixel nothing can be said of cameras."""
    with pytest.raises(ShapeError, match=r"(?s)1 x 1 pixels.*larger part"):
        open_pair(**files(), part="0:1,0:1")
    with (
        pytest.warns(CropWarning),
        pytest.raises(ShapeError, match=r"(?s)1 x 1 pixels.*smaller ratio"),
    ):
        open_pair("planted", ratio=30)


def test_pairs_that_do_not_overlap_are_refused(files):
    """Sizes that are no whole multiple, swapped images, a wrong ratio: each says what to do."""
    with pytest.raises(ShapeError) as caught:
        open_pair(**files(msi=np.ones((50, 48, 3))))
    assert "no whole multiple" in str(caught.value)
    assert "4.167 times the rows and 4 the columns" in str(caught.value)
    assert "crop both to the same ground" in str(caught.value)
    with pytest.raises(ShapeError, match="no whole multiple"):
        open_pair(**files(msi=np.ones((48, 36, 3))))
    with pytest.raises(ShapeError, match="12 x 12 pixels is not sharper than the HSI"):
        open_pair(**files(msi=np.ones((12, 12, 3))))
    with pytest.raises(ShapeError, match="The MSI has 60 bands, the HSI 60"):
        open_pair(**files(msi=np.ones((48, 48, 60))))
    with pytest.raises(ShapeError, match="do not overlap: at ratio 3"):
        open_pair(**files(), ratio=3)
    with pytest.raises(ParameterError, match="ratio=1 has to be at least 2"):
        open_pair(**files(), ratio=1)


def test_images_that_cannot_be_used_are_refused(files, planted):
    """No wavelengths, no data, missing pixels, a black image: each names the image."""
    with pytest.raises(WavelengthError) as caught:
        open_pair(**files(nm=None))
    assert "has no wavelengths" in str(caught.value)
    assert "-p wavelengths centres.txt" in str(caught.value)
    with pytest.raises(SceneNotFound, match=r"gone\.tif"):
        open_pair("planted", "gone.tif")
    holed = planted.msi.values.copy()
    holed[5, 6, 0] = np.nan
    with pytest.raises(PixelError, match="1 of 2304 pixels"):
        open_pair(**files(msi=holed))
    holed[..., 2] = 0
    with pytest.raises(PixelError, match="Band 3 of the MSI"):
        open_pair(**files(msi=np.nan_to_num(holed)))
    with pytest.raises(PixelError, match=r"The HSI .* has no pixel above 0"):
        open_pair(**files(hsi=np.zeros((12, 12, 60))))
    with pytest.raises(ParameterError, match="msi_key='cube'"):
        open_pair("planted", msi_key="cube")


def test_a_scene_beyond_all_oli_bands_cannot_be_simulated(files):
    """Thermal bands see nothing of Landsat 8 OLI; the way out is an MSI of one's own."""
    given = files(nm=np.linspace(3000, 5000, 60))
    with pytest.raises(WavelengthError) as caught:
        open_pair(given["hsi"], wavelengths=given["wavelengths"])
    assert "covers no band of Landsat 8 OLI" in str(caught.value)
    assert "-p msi" in str(caught.value)


# What the pair says of its cameras


@pytest.mark.parametrize("noise", [None, 35.0])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_the_width_of_the_point_spread_is_found(sigma, noise):
    """The blur that was planted leaves least unexplained, with noise and without."""
    pair = open_pair("planted", sigma=sigma)
    if noise:
        pair = replace(pair, hsi=add_noise(pair.hsi, noise, 1), msi=add_noise(pair.msi, noise, 2))
    found = estimate_sensors(pair)
    assert found.sigma == pytest.approx(sigma, rel=0.1 if noise else 0.01)
    assert found.same_units


def test_a_blur_wider_than_a_block_is_found(planted):
    """Where the windows of the point spread overlap, the wider window is taken."""
    wide = PointSpread(gaussian_kernel(8, 1.7), 4)
    pair = replace(planted, hsi=from_tensor(wide(to_tensor(planted.truth)), planted.hsi))
    found = estimate_sensors(pair)
    assert found.sigma == pytest.approx(1.7, rel=0.01)
    assert found.spread.kernel.shape == (8, 8)
    np.testing.assert_allclose(found.spread.kernel, wide.kernel, atol=1e-3)


@pytest.mark.parametrize("noise", [None, 40.0, 30.0])
def test_the_coverage_holds_the_true_band_and_predicts_the_msi(planted, noise):
    """Each stretch holds its band's centre and almost all its weight, and explains the band."""
    pair, limit = planted, 1e-4
    if noise:
        pair = replace(pair, hsi=add_noise(pair.hsi, noise, 1), msi=add_noise(pair.msi, noise, 2))
        limit = 4 * 10 ** (-noise / 20)
    found = estimate_sensors(pair)
    for row, centre, (first, last) in zip(
        planted.srf.matrix, planted.srf.centres, found.coverage, strict=True
    ):
        assert NM[first] < centre < NM[last] + 1e-6
        assert float(row[first : last + 1].sum()) > 0.95
        assert last - first < 24  # no more than half of the HSI for a band of a tenth
    assert (found.unexplained < limit).all()
    predicted = found.response(to_tensor(planted.hsi))
    low = planted.psf(to_tensor(planted.msi))
    assert float((predicted - low).square().mean().sqrt()) < limit * float(low.std())


def test_the_cover_tells_no_more_than_the_coverage(planted, sensors):
    """What HyCoNet is given is flat: the shape of the response stays unknown to it."""
    assert sensors.cover.coverage == sensors.coverage
    for row in sensors.cover.matrix:
        assert len(torch.unique(row[row > 0])) == 1


def test_units_are_brought_together(planted):
    """Counts and reflectance with an offset give gain and offset back, and one scale."""
    counts = planted.hsi * np.float32(10_000)
    shifted = planted.msi * np.float32(1.3) + np.float32(0.05)
    pair = replace(planted, hsi=counts.assign_attrs(units="counts"), msi=shifted)
    found = estimate_sensors(pair)
    assert not found.same_units
    np.testing.assert_allclose(found.gain, 1.3e-4, rtol=1e-3)
    np.testing.assert_allclose(found.offset, 0.05, rtol=1e-3)
    ready = calibrated(pair, found)
    np.testing.assert_allclose(ready.msi, 10_000 * planted.msi, rtol=2e-3, atol=0.5)
    assert ready.msi.attrs["units"] == "counts"


def test_same_units_are_left_alone(planted, sensors):
    """A pair in the same units is not touched."""
    assert sensors.same_units
    np.testing.assert_array_equal(sensors.gain.round(12), 1.0)
    np.testing.assert_array_equal(sensors.offset, 0.0)
    np.testing.assert_allclose(calibrated(planted, sensors).msi, planted.msi, rtol=1e-6)


def test_a_shift_shows(planted, sensors):
    """A shift of one MSI pixel leaves far more unexplained than the limit of the chapter."""
    shifted = estimate_sensors(replace(planted, msi=planted.msi.roll(x=1)))
    assert (sensors.unexplained < 0.01).all()
    assert (shifted.unexplained > 0.2).all()


def test_a_band_that_nothing_explains_is_named(planted):
    """A band that falls where all HSI bands rise is no mixture of them."""
    msi = planted.msi.copy(deep=True)
    bright = planted.truth.mean("wavelength").values
    msi.values[:, :, 2] = bright.max() - bright
    hsi = planted.hsi.copy(deep=True)
    hsi.values[:] = planted.hsi.mean("wavelength").values[:, :, None]
    with pytest.raises(WavelengthError) as caught:
        estimate_sensors(replace(planted, hsi=hsi, msi=msi))
    assert "No mixture of HSI bands explains the MSI band 'red'" in str(caught.value)
    assert "leave the band out" in str(caught.value)


def test_a_stray_weight_does_not_stretch_the_coverage():
    """The stretch with the largest weight is taken, not the one from first to last weight."""
    nm = np.arange(400.0, 900.0, 10.0)
    row = np.where((nm >= 500) & (nm <= 560), 1.0, 0.0)
    row[-1] = 0.9
    ((first, last),) = estimated_coverage(row[None], nm, ["green"])
    assert 460 <= nm[first] <= 500
    assert 560 <= nm[last] <= 600


def test_a_known_width_and_coverage_are_kept(planted):
    """What the user gives is not estimated."""
    coverage = [(0, 13), (11, 25), (25, 37), (55, 59)]
    found = estimate_sensors(planted, sigma=0.7, coverage=coverage)
    assert (found.sigma, found.coverage, dict(found.widths)) == (0.7, coverage, {})
    np.testing.assert_array_equal(found.spread.kernel, gaussian_kernel(4, 0.7))
    assert float(found.response.matrix[0, 14:].abs().max()) == 0.0


# The file of MSI bands

GOOD = """# Landsat 8 OLI

blue, 452, 512
green; 533; 590
red 636 673
near infrared, 851, 879
"""


def test_the_file_of_bands_gives_names_and_coverage(planted, bands):
    """Ranges in nm become HSI bands; commas, semicolons or blanks, and comments are read."""
    names, coverage = coverage_from_file(bands(GOOD), planted)
    assert names == ("blue", "green", "red", "near infrared")
    for (first, last), (low, high) in zip(
        coverage, [(452, 512), (533, 590), (636, 673), (851, 879)], strict=True
    ):
        assert NM[first - 1] < low <= NM[first]
        assert NM[last] <= high
        assert last == 59 or NM[last + 1] > high


@pytest.mark.parametrize(
    "line",
    ["green, 533", "green, 533, 5x9", "green, 590, 533", "533, 590", "green, 533, 590, 1", ",1,2"],
)
def test_a_line_that_cannot_be_read_is_named(planted, bands, line):
    """The error gives the number of the line, its text, and what one looks like."""
    with pytest.raises(FormatError) as caught:
        coverage_from_file(bands(GOOD.replace("green; 533; 590", line)), planted)
    text = str(caught.value)
    assert text.startswith("Line 4 of the file of MSI bands")
    assert line in text
    assert "name, first nm, last nm" in text


def test_bands_that_do_not_fit_are_refused(planted, bands, tmp_path):
    """A range outside the HSI, micrometres, too few bands, and no file."""
    with pytest.raises(WavelengthError) as caught:
        coverage_from_file(bands(GOOD.replace("851, 879", "1566, 1651")), planted)
    assert "'near infrared' covers no band of the HSI" in str(caught.value)
    assert "1566 nm to 1651 nm" in str(caught.value)
    assert "60 bands from 430 nm to 860 nm" in str(caught.value)
    with pytest.raises(WavelengthError, match=r"Line 3 .* looks like micrometres"):
        coverage_from_file(bands(GOOD.replace("452, 512", "0.452, 0.512")), planted)
    with pytest.raises(FormatError, match="has 3 bands, the MSI 4"):
        coverage_from_file(bands(GOOD.replace("red 636 673\n", "")), planted)
    with pytest.raises(FormatError, match="cannot be read"):
        coverage_from_file(str(tmp_path / "gone.txt"), planted)


# Judging without a truth


def test_the_true_scene_is_consistent(planted, sensors):
    """The truth leads back to both images: exactly with the true optics, nearly with estimates."""
    true = consistency(planted.truth, planted, planted.psf, planted.srf)
    assert min(true["HSI PSNR"], true["MSI PSNR"]) > 120
    near = consistency(planted.truth, planted, sensors.spread, sensors.response)
    assert min(near["HSI PSNR"], near["MSI PSNR"]) > 60
    assert near["HSI RMSE"] < 1e-4
    wrong = consistency(planted.truth.roll(x=4), planted, planted.psf, planted.srf)
    assert max(wrong["HSI PSNR"], wrong["MSI PSNR"]) < 20


@pytest.mark.parametrize("side", [4, 8])
def test_a_hidden_change_leaves_consistency_as_it_was(planted, side):
    """Neither camera sees it, however large, and the cube is another one."""
    spread = PointSpread(gaussian_kernel(side, 1.0), 4)
    change = hidden_change(planted.truth, spread, planted.srf)
    assert float(np.sqrt((change**2).mean())) == pytest.approx(1.0, rel=1e-4)
    assert float(spread(to_tensor(change)).abs().max()) < 1e-4
    assert float(planted.srf(to_tensor(change)).abs().max()) < 1e-4


def test_reduced_images_have_the_ratio_and_the_hsi_as_truth(planted):
    """One step coarser, sides shrink by the ratio; what it does not divide is left out."""
    pair = open_pair("planted", ratio=3)  # HSI of 16 x 16
    coarse = reduced(pair, pair.psf)
    assert coarse.truth.shape == (15, 15, 60)
    assert coarse.hsi.shape == (5, 5, 60)
    assert coarse.msi.shape == (15, 15, 4)
    np.testing.assert_array_equal(coarse.truth, pair.hsi.isel(y=slice(15), x=slice(15)))
    np.testing.assert_allclose(
        pair.srf(to_tensor(coarse.truth)), to_tensor(coarse.msi), atol=1e-6
    )  # the coarse MSI shows the same ground as the coarse truth
    assert reduced(planted, planted.psf).hsi.shape == (3, 3, 60)


def test_an_hsi_too_small_to_reduce_says_what_it_needs():
    """8 x 8 HSI pixels at ratio 4 would become 2 x 2."""
    pair = replace(open_pair("planted"), hsi=make_cube(np.ones((8, 8, 60)), NM))
    with pytest.raises(ShapeError) as caught:
        reduced(pair, pair.psf)
    assert "its 8 x 8 pixels become 2 x 2" in str(caught.value)
    assert "12 x 12 pixels or more" in str(caught.value)


@pytest.mark.parametrize("name", ["gsa", "hyconet"])
def test_methods_run_on_what_the_pair_says(planted, sensors, name, monkeypatch):
    """A closed form and HyCoNet take the same pair and cover; HyCoNet obeys the profile."""
    from hsirepro.papers.hyconet.experiments import Profile
    from hsirepro.papers.hyconet.own_pair import fusing

    monkeypatch.setattr(fusing, "PROFILES", {"smoke": Profile(3, (0,), "a moment")})
    fused = run_method(name, planted, sensors.cover, profile="smoke")
    assert fused.cube.shape == planted.truth.shape
    if name == "hyconet":
        assert fused.settings["iterations"] == 3
        assert set(fused.learned) >= {"psf", "srf"}


def test_methods_are_named_once_and_known():
    """A misspelt method gets the nearest one; an empty or doubled list is refused."""
    assert methods_of(" gsa,hyconet ") == ("gsa", "hyconet")
    with pytest.raises(ParameterError) as caught:
        methods_of("gsa,hyconett")
    assert "There is no fusion method 'hyconett'" in str(caught.value)
    assert "did you mean 'hyconet'?" in str(caught.value)
    for text in ("", " , ", "gsa,gsa"):
        with pytest.raises(ParameterError, match="does not name each of one or more methods once"):
            methods_of(text)
