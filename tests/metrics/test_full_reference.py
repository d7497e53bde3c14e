"""Full-reference metrics: golden values, invariances, and the cases others leave to chance."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import sewar.full_ref
import torch
import torchmetrics.functional.image as tm
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError
from hsirepro.metrics import (
    ergas,
    mrae,
    mrae_map,
    pairs,
    psnr,
    rmse,
    rmse_map,
    sam,
    sam_map,
    ssim,
    uiqi,
)
from hsirepro.scenes.cube import make_cube

BAND_MAX = {"peak": "reference-band-max"}
DEGREES = {"angle_unit": "degrees"}


@pytest.fixture(params=[np.float32, np.float64])
def images(request):
    """Make a smooth reference and a noisy estimate, 37 x 31 pixels and 5 bands."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:37, 0:31]
    bands = [0.5 + 0.3 * np.sin(x / (3 + b)) * np.cos(y / (5 + b)) for b in range(5)]
    reference = np.stack(bands, axis=2) * np.linspace(0.4, 1.2, 5)
    estimate = reference + 0.03 * rng.standard_normal(reference.shape)
    return estimate.astype(request.param), reference.astype(request.param)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]


# By hand: two bands of 2 x 2 pixels. Errors of band 0 are 1, 0, 0, 1, of band 1 all 2.
REFERENCE = np.array([[[3.0, 4.0], [1.0, 4.0]], [[2.0, 4.0], [2.0, 4.0]]])
ESTIMATE = REFERENCE + np.array([[[1.0, 2.0], [0.0, 2.0]], [[0.0, 2.0], [-1.0, 2.0]]])


def test_values_by_hand():
    """On 2 x 2 x 2 values every sum can be done on paper."""
    mse = (0.5, 4.0)
    assert rmse(ESTIMATE, REFERENCE) == pytest.approx(math.sqrt(2.25))
    assert psnr(ESTIMATE, REFERENCE, **BAND_MAX) == pytest.approx(
        5 * math.log10(9 / mse[0]) + 5 * math.log10(16 / mse[1])
    )
    assert psnr(ESTIMATE, REFERENCE, peak=10) == pytest.approx(
        5 * math.log10(100 / mse[0]) + 5 * math.log10(100 / mse[1])
    )
    assert ergas(ESTIMATE, REFERENCE, ratio=4) == pytest.approx(
        25 * math.sqrt((mse[0] / 4 + mse[1] / 16) / 2)
    )
    relative = (1 / 3 + 1 / 2 + 4 * 0.5) / 8
    assert mrae(ESTIMATE, REFERENCE, eps=0) == pytest.approx(relative)
    assert mrae(ESTIMATE, REFERENCE, eps=1) == pytest.approx((1 / 4 + 1 / 3 + 4 * 0.4) / 8)
    cosine = (4 * 3 + 6 * 4) / math.sqrt((16 + 36) * (9 + 16))
    assert sam_map(ESTIMATE, REFERENCE, **DEGREES)[0, 0] == pytest.approx(
        math.degrees(math.acos(cosine))
    )
    np.testing.assert_allclose(rmse_map(ESTIMATE, REFERENCE)[0], np.sqrt([2.5, 2.0]))
    np.testing.assert_allclose(mrae_map(ESTIMATE, REFERENCE, eps=0)[0], [5 / 12, 0.25])


def test_psnr_equals_scikit_image_and_torchmetrics(images):
    """Band by band PSNR is that of scikit-image; torchmetrics agrees on one shared peak."""
    estimate, reference = images
    by_band = [
        peak_signal_noise_ratio(
            reference[..., b].astype(float),
            estimate[..., b].astype(float),
            data_range=float(reference[..., b].max()),
        )
        for b in range(5)
    ]
    assert psnr(estimate, reference, **BAND_MAX) == pytest.approx(np.mean(by_band), rel=1e-10)
    one = slice(2, 3)
    expected = tm.peak_signal_noise_ratio(
        tensor(estimate[..., one]), tensor(reference[..., one]), data_range=1.0
    )
    got = psnr(estimate[..., one], reference[..., one], peak=1.0)
    assert got == pytest.approx(float(expected), rel=1e-6)


def test_sam_equals_torchmetrics_and_sewar(images):
    """The mean angle in radians is that of torchmetrics and sewar."""
    estimate, reference = images
    got = sam(estimate, reference, angle_unit="radians")
    expected = tm.spectral_angle_mapper(tensor(estimate), tensor(reference))
    assert got == pytest.approx(float(expected), rel=1e-7)
    as_double = reference.astype(float), estimate.astype(float)
    assert got == pytest.approx(sewar.full_ref.sam(*as_double), rel=1e-10)
    assert sam(estimate, reference, **DEGREES) == pytest.approx(math.degrees(got))


def test_ergas_equals_torchmetrics_and_sewar(images):
    """ERGAS is that of torchmetrics; sewar takes the inverse of the ratio, and the truth first."""
    estimate, reference = images
    got = ergas(estimate, reference, ratio=8)
    expected = tm.error_relative_global_dimensionless_synthesis(
        tensor(estimate), tensor(reference), ratio=8
    )
    assert got == pytest.approx(float(expected), rel=1e-6)
    theirs = sewar.full_ref.ergas(reference.astype(float), estimate.astype(float), r=1 / 8)
    assert got == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ("uniform", {"win_size": 7}),
        ("gaussian", {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
    ],
)
def test_ssim_equals_the_multichannel_form_of_scikit_image(images, window, options):
    """The mean over bands is the multichannel SSIM, for either window."""
    estimate, reference = (image.astype(float) for image in images)
    expected = structural_similarity(reference, estimate, data_range=1.0, channel_axis=2, **options)
    assert ssim(*images, data_range=1.0, window=window) == pytest.approx(expected, rel=1e-10)


def test_gaussian_ssim_equals_a_loop_over_windows(images):
    """Wang's 11 x 11 Gaussian window, written out at valid positions."""
    estimate, reference = (image[..., 0].astype(float) for image in images)
    profile = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(profile, profile) / profile.sum() ** 2
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for i in range(37 - 10):
        for j in range(31 - 10):
            x, g = (image[i : i + 11, j : j + 11] for image in (estimate, reference))
            mx, mg = (weight * x).sum(), (weight * g).sum()
            vx, vg = (weight * x * x).sum() - mx**2, (weight * g * g).sum() - mg**2
            cov = (weight * x * g).sum() - mx * mg
            values.append(
                (2 * mx * mg + c1) * (2 * cov + c2) / ((mx**2 + mg**2 + c1) * (vx + vg + c2))
            )
    got = ssim(estimate[..., None], reference[..., None], data_range=1.0, window="gaussian")
    assert got == pytest.approx(np.mean(values), rel=1e-9)


@pytest.mark.parametrize("block", [7, 8])
def test_uiqi_equals_a_loop_over_windows(images, block):
    """Wang and Bovik's Q, written out at every window inside the image."""
    estimate, reference = (image.astype(float) for image in images)
    values = []
    for b in range(5):
        for i in range(37 - block + 1):
            for j in range(31 - block + 1):
                x, g = (im[i : i + block, j : j + block, b] for im in (estimate, reference))
                cov = np.mean((x - x.mean()) * (g - g.mean()))
                values.append(
                    4
                    * cov
                    * x.mean()
                    * g.mean()
                    / ((x.var() + g.var()) * (x.mean() ** 2 + g.mean() ** 2))
                )
    assert uiqi(*images, block=block) == pytest.approx(np.mean(values), rel=1e-9)


def test_uiqi_equals_sewar_with_window_sums(images, monkeypatch):
    """The formula of sewar is written for window sums; given sums, it is the same index.

    Two of its conventions are translated: its filter returns means, which are turned into sums
    here, and it drops the last row and column of valid 8 x 8 windows.
    """
    means = sewar.full_ref.uniform_filter
    monkeypatch.setattr(
        sewar.full_ref, "uniform_filter", lambda image, side: means(image, side) * side**2
    )
    estimate, reference = (image.astype(float) for image in images)
    expected = sewar.full_ref.uqi(reference, estimate, ws=8)
    assert uiqi(estimate[:-1, :-1], reference[:-1, :-1], block=8) == pytest.approx(
        expected, rel=1e-9
    )


def every_metric(estimate, reference) -> dict[str, float]:
    return {
        "rmse": rmse(estimate, reference),
        "psnr": psnr(estimate, reference, **BAND_MAX),
        "sam": sam(estimate, reference, **DEGREES),
        "ergas": ergas(estimate, reference, ratio=4),
        "ssim": ssim(estimate, reference, data_range=1.0, window="uniform"),
        "mrae": mrae(estimate, reference, eps=0),
        "uiqi": uiqi(estimate, reference, block=8),
    }


PERFECT = {"rmse": 0, "psnr": math.inf, "sam": 0, "ergas": 0, "ssim": 1, "mrae": 0, "uiqi": 1}


def test_perfect_estimate(images):
    """A cube compared with itself: no error, no angle, infinite PSNR, and no numerical warning."""
    _, reference = images
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert every_metric(reference, reference) == pytest.approx(PERFECT, abs=1e-5)


def test_metrics_do_not_depend_on_block_size(images, monkeypatch):
    """Reading a few rows at a time changes nothing but the memory needed."""
    whole = every_metric(*images)
    maps = sam_map(*images, **DEGREES), rmse_map(*images), mrae_map(*images, eps=0)
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 8 * 31 * 5 * 3)
    assert every_metric(*images) == pytest.approx(whole, rel=1e-12)
    again = sam_map(*images, **DEGREES), rmse_map(*images), mrae_map(*images, eps=0)
    for one, other in zip(maps, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_maps_average_to_the_metric(images):
    """The mean of a map is the metric; for RMSE the mean of its square."""
    assert sam_map(*images, **DEGREES).mean() == pytest.approx(sam(*images, **DEGREES))
    assert mrae_map(*images, eps=0.1).mean() == pytest.approx(mrae(*images, eps=0.1))
    assert np.square(rmse_map(*images)).mean() == pytest.approx(rmse(*images) ** 2)
    assert sam_map(*images, **DEGREES).shape == (37, 31)


def test_sam_ignores_illumination(images):
    """A spectral angle does not change when each pixel is brightened by its own factor."""
    estimate, reference = (image.astype(float) for image in images)
    light = np.random.default_rng(0).uniform(0.2, 5, (37, 31, 1))
    assert sam(estimate * light, reference, **DEGREES) == pytest.approx(
        sam(estimate, reference, **DEGREES), rel=1e-9
    )


def test_relative_metrics_ignore_the_unit(images):
    """Reflectance or counts: with a peak taken from the reference, only RMSE has a unit."""
    estimate, reference = (image.astype(float) for image in images)
    small, large = every_metric(estimate, reference), every_metric(estimate * 1e4, reference * 1e4)
    for name in ("psnr", "sam", "ergas", "mrae", "uiqi"):
        assert large[name] == pytest.approx(small[name], rel=1e-9)
    assert large["rmse"] == pytest.approx(1e4 * small["rmse"])
    scaled = ssim(estimate * 1e4, reference * 1e4, data_range=1e4, window="uniform")
    assert scaled == pytest.approx(small["ssim"], rel=1e-9)


def test_ergas_falls_with_the_ratio(images):
    """ERGAS is inversely proportional to the ratio."""
    assert ergas(*images, ratio=8) == pytest.approx(ergas(*images, ratio=4) / 2)


def test_wider_data_range_raises_ssim(images):
    """Stating a range of 2 for data within 1 makes any estimate look better."""
    assert ssim(*images, data_range=2.0, window="uniform") > ssim(
        *images, data_range=1.0, window="uniform"
    )


def test_cubes_are_aligned_by_axis_names(images):
    """A cube with its axes in another order is the same cube."""
    estimate, reference = images
    cube, truth = (make_cube(image, np.arange(5) * 10 + 400) for image in images)
    turned = cube.transpose("wavelength", "x", "y")
    expected = every_metric(estimate.astype(np.float32), reference.astype(np.float32))
    assert every_metric(turned, truth) == expected
    assert every_metric(cube.values, truth) == expected


def test_integer_images_do_not_wrap():
    """Counts below the reference are errors of their size, not of 65535."""
    low, high = np.full((8, 8, 2), 10, np.uint16), np.full((8, 8, 2), 13, np.uint16)
    assert rmse(low, high) == 3.0


@pytest.mark.parametrize(
    ("estimate", "reference", "angle", "skipped"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0, True),
        ([0.0, 0.0], [1.0, 2.0], 90.0, True),
        ([1.0, 2.0], [0.0, 0.0], 90.0, True),
        ([0.0, 3.0], [2.0, 0.0], 90.0, False),
        ([-1.0, 0.0], [1.0, 0.0], 180.0, False),
    ],
)
def test_zero_spectra_have_defined_angles(estimate, reference, angle, skipped):
    """Two black spectra are equal, one black spectrum is 90 degrees off; skipping leaves both."""
    x, g = np.array([[estimate, [1.0, 1.0]]]), np.array([[reference, [1.0, 0.0]]])
    assert sam(x, g, **DEGREES) == pytest.approx((angle + 45) / 2)
    expected = 45 if skipped else (angle + 45) / 2
    assert sam(x, g, **DEGREES, zero_spectra="skip") == pytest.approx(expected)


def test_sam_without_any_lit_pixel_cannot_be_skipped():
    """If every pixel is left out there is no mean."""
    black = np.zeros((2, 2, 3))
    assert sam(black, black, **DEGREES) == 0
    with pytest.raises(PixelError, match="Every pixel has an all-zero spectrum"):
        sam(black, black, **DEGREES, zero_spectra="skip")


def test_sam_eps_widens_the_angle_of_dark_pixels():
    """With eps in the denominator even equal spectra differ: arccos(n^2 / (n^2 + eps))."""
    dark = np.full((1, 1, 2), 1e-3)
    expected = math.degrees(math.acos(2e-6 / 3e-6))
    assert sam(dark, dark, **DEGREES, eps=1e-6) == pytest.approx(expected)
    assert sam(dark, dark, **DEGREES) == pytest.approx(0, abs=1e-5)


def test_constant_bands_are_defined():
    """Two constant cubes: luminance alone decides, nothing divides by zero."""
    x, g = np.full((16, 16, 2), 0.3), np.full((16, 16, 2), 0.6)
    luminance = 2 * 0.3 * 0.6 / (0.3**2 + 0.6**2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = every_metric(x, g)
        assert uiqi(np.zeros_like(x), np.zeros_like(x), block=8) == 1
    assert scores["uiqi"] == pytest.approx(luminance)
    c1 = 0.01**2
    assert scores["ssim"] == pytest.approx((2 * 0.18 + c1) / (0.45 + c1))
    assert scores["psnr"] == pytest.approx(20 * math.log10(2))
    assert scores["ergas"] == pytest.approx(12.5)
    assert scores["sam"] == pytest.approx(0, abs=1e-5)


def test_structure_against_a_constant_band_is_no_similarity():
    """An index of structure is zero where only one of two windows has any."""
    flat = np.full((16, 16, 1), 0.1)
    rough = flat + 0.05 * np.random.default_rng(0).standard_normal(flat.shape)
    assert uiqi(rough, flat, block=8) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("role", ["estimate", "reference"])
def test_nan_is_refused_by_every_metric(value, role):
    """A missing pixel gives an error that says where, never a silent NaN."""
    pair = {"estimate": np.full((16, 16, 2), 0.5), "reference": np.full((16, 16, 2), 0.4)}
    pair[role][3, 5, 1] = value
    calls = [
        lambda: rmse(**pair),
        lambda: psnr(**pair, **BAND_MAX),
        lambda: sam(**pair, **DEGREES),
        lambda: ergas(**pair, ratio=4),
        lambda: ssim(**pair, data_range=1, window="uniform"),
        lambda: mrae(**pair, eps=0),
        lambda: uiqi(**pair, block=8),
        lambda: sam_map(**pair, **DEGREES),
        lambda: rmse_map(**pair),
        lambda: mrae_map(**pair, eps=0),
    ]
    for call in calls:
        with pytest.raises(PixelError, match=rf"The {role} holds 1 NaN") as caught:
            call()
        assert "row 3, column 5, band 1" in str(caught.value)


GOOD = np.full((16, 16, 2), 0.5)
DARK_BAND = GOOD * [1.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: rmse(GOOD, GOOD[:8]), ShapeError, "(16, 16, 2) and reference (8, 16, 2) differ"),
        (lambda: rmse(GOOD[0], GOOD[0]), ShapeError, "shape (16, 2); metrics need (rows"),
        (lambda: rmse(GOOD[:0], GOOD[:0]), ShapeError, "not empty"),
        (lambda: rmse(torch.ones(2, 4, 4), GOOD), ParameterError, "The estimate is a Tensor"),
        (lambda: rmse(GOOD * 1j, GOOD), ParameterError, "real-valued"),
        (lambda: rmse(make_cube(GOOD, None)[0], GOOD), ShapeError, "has axes ('x', 'wavelength')"),
        (
            lambda: rmse(make_cube(GOOD, [450, 550]), make_cube(GOOD, [450, 560])),
            WavelengthError,
            "band 1 lies at 550 nm and 560 nm",
        ),
        (lambda: psnr(GOOD, GOOD, peak=0), ParameterError, "peak=0 has to be"),
        (lambda: psnr(GOOD, GOOD, peak="max"), ParameterError, "peak='max' has to be"),
        (lambda: psnr(GOOD, DARK_BAND, **BAND_MAX), ParameterError, "Reference band 1 has no pos"),
        (lambda: ergas(GOOD, DARK_BAND, ratio=4), ParameterError, "band 1 has zero mean"),
        (lambda: ergas(GOOD, GOOD, ratio=-4), ParameterError, "ratio=-4 has to be a finite"),
        (lambda: mrae(GOOD, DARK_BAND, eps=0), ParameterError, "divides by zero at 256 values"),
        (lambda: mrae(GOOD, GOOD, eps="0"), ParameterError, "eps='0' has to be"),
        (lambda: sam(GOOD, GOOD, angle_unit="degree"), ParameterError, "mean 'degrees'"),
        (
            lambda: sam(GOOD, GOOD, **DEGREES, zero_spectra="skipp"),
            ParameterError,
            "did you mean 'skip'?",
        ),
        (
            lambda: ssim(GOOD, GOOD, data_range=1, window="gausian"),
            ParameterError,
            "did you mean 'gaussian'?",
        ),
        (lambda: ssim(GOOD, GOOD, data_range=0, window="uniform"), ParameterError, "data_range=0"),
        (
            lambda: ssim(GOOD[:6], GOOD[:6], data_range=1, window="uniform"),
            ShapeError,
            "6 x 16 pixels is smaller than a window of 7",
        ),
        (lambda: uiqi(GOOD, GOOD, block=1.5), ParameterError, "block=1.5 is not a window side"),
        (lambda: uiqi(GOOD, GOOD, block=32), ShapeError, "smaller than a window of 32"),
    ],
)
def test_bad_input_is_named(call, error, text):
    """What cannot be compared is refused with the image, band or option that is wrong."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_mrae_of_a_negative_reference():
    """An error is divided by the size of the reference, whatever its sign."""
    from hsirepro.metrics import mrae

    x, g = np.full((2, 2, 1), -1.0), np.full((2, 2, 1), -2.0)
    assert mrae(x, g, eps=0) == pytest.approx(0.5)
    assert mrae(x, g, eps=2.0) == pytest.approx(0.25)
