"""Wald's protocol: the simulated pair, its noise, and pairs that do not fit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError
from hsirepro.fusion import fuse
from hsirepro.optics import (
    CropWarning,
    PointSpread,
    add_noise,
    check_pair,
    degrade,
    gaussian_kernel,
    landsat8_oli,
)
from hsirepro.scenes.cube import make_cube, to_tensor

NM = np.linspace(430, 860, 24)


def scene(height: int = 24, width: int = 20, wavelengths: np.ndarray | None = NM, **attrs):
    values = np.random.default_rng(0).random((height, width, 24), dtype=np.float32) + 0.1
    return make_cube(values, wavelengths, **attrs)


SRF = landsat8_oli(NM)


def test_pair_is_what_the_operators_make_of_the_truth():
    """Without noise Z = A X and Y = R X exactly, with wavelengths that say what they are."""
    cube = scene(sensor="probe", gsd_m=1.5)
    pair = degrade(cube, ratio=4, srf=SRF, sigma=0.5)
    x = to_tensor(pair.truth)
    torch.testing.assert_close(to_tensor(pair.hsi), pair.psf(x))
    torch.testing.assert_close(to_tensor(pair.msi), SRF(x))
    assert pair.hsi.shape == (6, 5, 24)
    assert pair.msi.shape == (24, 20, 3)
    np.testing.assert_allclose(pair.hsi.wavelength, NM)
    np.testing.assert_allclose(pair.msi.wavelength, SRF.centres)
    assert pair.msi.attrs["band_names"] == ["blue", "green", "red"]
    assert (pair.hsi.attrs["gsd_m"], pair.msi.attrs["gsd_m"]) == (6.0, 1.5)
    assert pair.hsi.attrs["sensor"] == "probe"
    torch.testing.assert_close(pair.psf.kernel, gaussian_kernel(4, 0.5))


def test_truth_is_the_scene_when_the_ratio_divides_it():
    """Nothing is cropped, nothing is warned about, and the scene itself is not altered."""
    cube = scene()
    before = cube.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pair = degrade(cube, ratio=4, srf=SRF, sigma=0.5, snr_hsi=30, snr_msi=30)
    np.testing.assert_array_equal(pair.truth, cube)
    np.testing.assert_array_equal(cube, before)


def test_centre_crop_is_said_aloud():
    """An image not divisible by the ratio is cropped to its centre, with sizes in the warning."""
    cube = scene(39, 30)
    with pytest.warns(CropWarning, match=r"39 x 30 .* ratio 4: using the central 36 x 28") as said:
        pair = degrade(cube, ratio=4, srf=SRF, sigma=1.0)
    assert "from row 1, column 1" in str(said[0].message)
    assert said[0].filename == __file__
    np.testing.assert_array_equal(pair.truth, cube.isel(y=slice(1, 37), x=slice(1, 29)))


def test_general_point_spread_is_used():
    """An overlapping kernel stands where a block Gaussian does not fit the sensor."""
    spread = PointSpread(gaussian_kernel(8, 1.7), 4)
    cube = scene()
    pair = degrade(cube, ratio=4, srf=SRF, psf=spread)
    torch.testing.assert_close(to_tensor(pair.hsi), spread(to_tensor(cube)))
    assert pair.psf is spread


@pytest.mark.parametrize("snr", [10.0, 30.0])
def test_noise_has_the_asked_for_ratio(snr):
    """Per band, signal power over noise power is the SNR in dB."""
    cube = scene(64, 64)
    noise = add_noise(cube, snr, seed=3).values.astype(float) - cube.values
    power = (cube.values.astype(float) ** 2).mean(axis=(0, 1))
    measured = 10 * np.log10(power / (noise**2).mean(axis=(0, 1)))
    np.testing.assert_allclose(measured, snr, atol=0.4)
    assert abs(np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())[0, 1]) < 0.06


def test_same_seed_gives_the_same_bytes():
    """One seed fixes both images bit for bit; HSI noise does not depend on MSI noise."""
    make = {"ratio": 4, "srf": SRF, "sigma": 0.5, "snr_hsi": 25}
    first, again = (degrade(scene(), **make, snr_msi=25, seed=7) for _ in range(2))
    assert first.hsi.values.tobytes() == again.hsi.values.tobytes()
    assert first.msi.values.tobytes() == again.msi.values.tobytes()
    other = degrade(scene(), **make, snr_msi=25, seed=8)
    assert other.hsi.values.tobytes() != first.hsi.values.tobytes()
    alone = degrade(scene(), **make, seed=7)
    assert alone.hsi.values.tobytes() == first.hsi.values.tobytes()


def test_noise_of_the_two_images_is_independent():
    """One seed feeds both images, but not with the same random numbers."""
    clean = degrade(scene(), ratio=4, srf=SRF, sigma=0.5)
    noisy = degrade(scene(), ratio=4, srf=SRF, sigma=0.5, snr_hsi=20, snr_msi=20)
    noise = [
        (getattr(noisy, name) - getattr(clean, name)).values[:, :, 0].ravel()[:30]
        for name in ("hsi", "msi")
    ]
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.6


def test_axes_in_another_order_are_understood():
    """A cube is known by the names of its axes, not by their order."""
    cube = scene()
    straight = degrade(cube, ratio=4, srf=SRF, sigma=0.5, snr_hsi=20)
    turned = degrade(
        cube.transpose("wavelength", "y", "x"), ratio=4, srf=SRF, sigma=0.5, snr_hsi=20
    )
    np.testing.assert_array_equal(straight.hsi, turned.hsi)
    noisy = add_noise(cube.transpose("wavelength", "y", "x"), 20, 1)
    np.testing.assert_array_equal(noisy.transpose("y", "x", "wavelength"), add_noise(cube, 20, 1))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"ratio": -4}, ParameterError, "ratio=-4 has to be at least 2"),
        ({"ratio": 0}, ParameterError, "ratio=0 has to be at least 2"),
        ({"ratio": 1}, ParameterError, "ratio=1 has to be at least 2"),
        ({"ratio": 2.5}, ParameterError, "ratio=2.5 is not a whole number (float)"),
        ({"ratio": "4"}, ParameterError, "ratio='4' is not a whole number (str)"),
        ({"ratio": True}, ParameterError, "ratio=True is not a whole number (bool)"),
        ({"ratio": 32}, ShapeError, "24 x 20 pixels is smaller than one low-resolution pixel"),
        ({"sigma": None}, ParameterError, "either psf or sigma, neither given"),
        ({"psf": PointSpread(gaussian_kernel(4, 1), 4)}, ParameterError, "both given"),
        (
            {"psf": PointSpread(gaussian_kernel(4, 1), 2), "sigma": None},
            ParameterError,
            "samples every 2 pixels, but ratio=4",
        ),
        ({"sigma": -1.0}, ParameterError, "sigma=-1 has to be a finite number above 0"),
        ({"snr_hsi": "30"}, ParameterError, "snr_db='30' is not a number (str)"),
        ({"snr_msi": float("nan")}, ParameterError, "snr_db=nan has to be a finite number"),
        ({"srf": landsat8_oli(NM[:-1])}, ShapeError, "is for 23 bands, the cube has 24"),
        ({"srf": landsat8_oli(NM + 3)}, WavelengthError, "its band 0 lies at 433 nm"),
        ({"cube": scene(wavelengths=None)}, WavelengthError, "needs wavelengths"),
    ],
)
def test_bad_input_is_named(change, error, text):
    """An impossible degradation is refused with the parameter that makes it so."""
    call = {"cube": scene(), "ratio": 4, "srf": SRF, "sigma": 0.5, **change}
    with pytest.raises(error) as caught:
        degrade(call.pop("cube"), **call)
    assert text in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_pixels_are_refused(value):
    """NaN or infinite pixels would spread through the blur; they are named instead."""
    cube = scene()
    cube[3, 5, 7] = value
    with pytest.raises(PixelError, match="row 3, column 5, band 7"):
        degrade(cube, ratio=4, srf=SRF, sigma=0.5)


def with_grid(cube, x0: float, step: float):
    x = x0 + step * (np.arange(cube.sizes["x"]) + 0.5)
    return cube.assign_coords(x=("x", x))


def test_pair_of_one_degradation_fits():
    """Whatever degrade() makes passes the check, map coordinates included."""
    pair = degrade(with_grid(scene(), 500_000.0, 2.0), ratio=4, srf=SRF, sigma=0.5)
    check_pair(pair.hsi, pair.msi, 4)
    assert float(pair.hsi.x[0]) == 500_004.0
    assert "x" in pair.msi.coords


def test_pair_that_does_not_overlap_is_refused():
    """Images of other sizes, or of other ground, are named with sizes or extents."""
    hsi, msi = scene(6, 5), scene(24, 20)
    check_pair(hsi, msi, 4)
    with pytest.raises(ShapeError, match=r"do not overlap: at ratio 4 .* MSI of 24 x 20.* 24 x 16"):
        check_pair(hsi, msi.isel(x=slice(0, 16)), 4)
    near, far, half = (with_grid(msi, start, 1.0) for start in (0.4, 100.0, 8.0))
    hsi = with_grid(hsi, 0.0, 4.0)
    check_pair(hsi, near, 4)
    with pytest.raises(ShapeError, match="do not overlap along x") as caught:
        check_pair(hsi, far, 4)
    assert "x from 100 to 120" in str(caught.value)
    with pytest.raises(ShapeError, match="overlap only in part along x"):
        check_pair(hsi, half, 4)
    with pytest.raises(ParameterError, match="ratio=-1"):
        check_pair(hsi, msi, -1)


def test_fused_cube_has_the_sampling_distance_of_the_msi():
    """The fused cube lies on the grid of the MSI, so it has its sampling distance."""
    pair = degrade(scene(gsd_m=1.5), ratio=4, srf=SRF, sigma=0.5)
    assert fuse("bicubic", pair.hsi, pair.msi, ratio=4).cube.attrs["gsd_m"] == 1.5
    del pair.msi.attrs["gsd_m"]
    assert fuse("bicubic", pair.hsi, pair.msi, ratio=4).cube.attrs["gsd_m"] == 1.5


def test_fused_cube_lies_where_the_msi_lies():
    """Coordinates and their system come from the MSI, also through degrade() and fuse()."""
    pair = degrade(with_grid(scene(crs="EPSG:32633"), 500_000.0, 2.0), ratio=4, srf=SRF, sigma=0.5)
    fused = fuse("bicubic", pair.hsi, pair.msi, ratio=4).cube
    np.testing.assert_array_equal(fused.x, pair.msi.x)
    np.testing.assert_array_equal(fused.x, pair.truth.x)
    assert fused.attrs["crs"] == "EPSG:32633"
    assert float(abs(fused - pair.truth).mean()) < 0.5  # xarray aligns them on all pixels
    assert (fused - pair.truth).shape == pair.truth.shape


@pytest.mark.parametrize(
    ("coarse", "fits"), [(4.0, True), (4.07, True), (4.2, False), (2.0, False)]
)
def test_sampling_distances_must_fit_the_ratio(coarse, fits):
    """Where both sampling distances are known they stand as 1 : ratio, to 2 %."""
    hsi, msi = scene(6, 5, gsd_m=coarse), scene(24, 20, gsd_m=1.0)
    if fits:
        check_pair(hsi, msi, 4)
        return
    with pytest.raises(ShapeError, match="not 4 : 1") as caught:
        check_pair(hsi, msi, 4)
    assert f"{coarse:g} m" in str(caught.value)


def test_images_that_run_in_opposite_directions():
    """Rows from north to south do not fit rows from south to north, whatever their extent."""
    hsi, msi = with_grid(scene(6, 5), 0.0, 4.0), with_grid(scene(24, 20), 0.0, 1.0)
    check_pair(hsi, msi, 4)
    with pytest.raises(ShapeError, match="opposite directions along x"):
        check_pair(hsi, msi.isel(x=slice(None, None, -1)), 4)
