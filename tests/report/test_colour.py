"""False colour is a statement about wavelengths, not about band numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import xarray as xr

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.report import colour_bands, false_colour, stretch_of
from hsirepro.scenes.cube import make_cube


@pytest.fixture
def cube() -> xr.DataArray:
    pixels = np.random.default_rng(0).random((7, 5, 24))
    return make_cube(pixels, np.linspace(400, 1000, 24), source="noise.hdr")


def test_band_order_does_not_change_colour(cube):
    """A colour is a wavelength: shuffling the bands of a cube must not change its image."""
    order = np.random.default_rng(1).permutation(24)
    shuffled = make_cube(cube.values[..., order], cube.wavelength.values[order])
    assert colour_bands(shuffled) != colour_bands(cube)
    np.testing.assert_array_equal(false_colour(shuffled), false_colour(cube))


def test_channels_are_red_green_blue():
    """What reflects at 650 nm only is red on the screen."""
    pixels = np.zeros((1, 2, 3))
    pixels[0, 1] = [0, 0, 1]  # second pixel: bright at 650 nm
    image = false_colour(make_cube(pixels, [450, 550, 650]), percentiles=(0, 100))
    assert image[0].tolist() == [[0, 0, 0], [255, 0, 0]]
    assert image.dtype == np.uint8


def test_bad_band_is_passed_over(cube):
    """A band that should not be used must not be looked at either."""
    best = colour_bands(cube)[0]
    cube.attrs["bad_bands"] = [best]
    red = colour_bands(cube)[0]
    assert red != best
    assert abs(float(cube.wavelength[red]) - 650) < 40


def test_shared_stretch_keeps_brightness_apart(cube):
    """Under the stretch of the reference a darker image looks darker; under its own it does not."""
    dark = cube * 0.5
    dark.attrs = cube.attrs
    np.testing.assert_array_equal(false_colour(dark), false_colour(cube))
    shared = false_colour(dark, stretch=stretch_of(cube))
    assert shared.mean() < 0.6 * false_colour(cube).mean()


def test_percentiles_are_the_ends_of_the_scale():
    """What lies outside the percentiles saturates, what lies between is linear."""
    pixels = np.repeat(np.arange(101.0).reshape(1, 101, 1), 3, axis=2)
    image = false_colour(make_cube(pixels, [450, 550, 650]), percentiles=(10, 90))[0, :, 0]
    assert (image[:11] == 0).all()
    assert (image[90:] == 255).all()
    assert image[50] == 128


def test_nan_pixels_and_constant_bands_are_black(cube):
    """Missing pixels and bands without contrast have a defined colour."""
    cube[2, 3] = np.nan
    cube[:, :, colour_bands(cube)[1]] = 0.4
    image = false_colour(cube)
    assert image[2, 3].tolist() == [0, 0, 0]
    assert (image[..., 1] == 0).all()
    assert image[..., 0].max() == 255


def test_cube_without_wavelengths_is_refused():
    """Band numbers alone say nothing about colour."""
    with pytest.raises(WavelengthError, match="False colour needs wavelengths") as caught:
        false_colour(make_cube(np.zeros((2, 2, 3)), None, source="plain.npy"))
    assert "plain.npy" in str(caught.value)


def test_cube_without_visible_bands_says_what_it_has():
    """An infrared cube has no red band, but the error names three bands that it does have."""
    cube = make_cube(np.random.default_rng(0).random((4, 4, 11)), np.linspace(1000, 2000, 11))
    with pytest.raises(WavelengthError, match="within 40 nm of 650 nm") as caught:
        false_colour(cube)
    assert "11, 1000 to 2000 nm" in str(caught.value)
    assert "nm=(1800, 1500, 1200)" in str(caught.value)
    assert false_colour(cube, nm=(1800, 1500, 1200)).shape == (4, 4, 3)


def test_cube_of_bad_bands_is_refused(cube):
    """Where no band may be used there is no colour to show."""
    cube.attrs["bad_bands"] = list(range(24))
    with pytest.raises(WavelengthError, match="lists all as bad"):
        false_colour(cube)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"nm": (650, 550)}, ParameterError, "three wavelengths in nm, not 2"),
        ({"percentiles": (98, 2)}, ParameterError, r"percentiles=\(98, 2\)"),
        ({"percentiles": (-1, 50)}, ParameterError, r"percentiles=\(-1, 50\)"),
        ({"stretch": np.zeros((2, 3))}, ShapeError, r"this one \(2, 3\)"),
    ],
)
def test_impossible_options_are_named(cube, options, error, text):
    """An option that cannot be used is named with what would do."""
    with pytest.raises(error, match=text):
        false_colour(cube, **options)


def test_real_lawn_is_green_and_in_colour_infrared_red(data_dir):
    """Leaves reflect green above red light, and near infrared above both."""
    file = data_dir / "scenes" / "casi" / "houston_dataset.mat"
    pixels = scipy.io.loadmat(file)["hyprImg"].astype(float)
    cube = make_cube(pixels, np.linspace(380, 1050, 48), units="counts")
    lawn = np.s_[85:95, 15:25]  # rows and columns
    red, green, _ = np.median(false_colour(cube)[lawn].reshape(-1, 3), axis=0)
    assert green > red
    infrared = false_colour(cube, nm=(850, 650, 550))
    red, green, blue = np.median(infrared[lawn].reshape(-1, 3), axis=0)
    assert red > 2 * max(green, blue)
