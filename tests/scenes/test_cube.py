"""Laws of the cube that all rooms share."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import PixelError, ShapeError, WavelengthError
from hsirepro.scenes import (
    check_finite,
    drop_bad_bands,
    from_tensor,
    has_wavelengths,
    make_cube,
    to_tensor,
    wavelengths_nm,
)

from .formats import PLANTED, SHAPE, SPOT, planted_cube
from .formats import wavelengths_nm as centres


def test_cube_carries_its_labels():
    """A cube is float32, (y, x, wavelength), with band centres in nm and sorted bad bands."""
    cube = make_cube(planted_cube(), centres(), sensor="Toy", bad_bands=(5, 2), gsd_m=2.0)
    assert cube.dims == ("y", "x", "wavelength")
    assert cube.dtype == np.float32
    assert cube.attrs["bad_bands"] == [2, 5]
    assert cube.attrs["gsd_m"] == 2.0
    assert has_wavelengths(cube)
    np.testing.assert_allclose(wavelengths_nm(cube, "a test"), centres())


def test_tensor_and_back_is_the_same_cube():
    """A tensor has its bands first; the way back restores axes and labels."""
    cube = make_cube(planted_cube(), centres(), units="counts", sensor="Toy")
    tensor = to_tensor(cube)
    assert tuple(tensor.shape) == (SHAPE[2], *SHAPE[:2])
    assert tensor[SPOT[2], SPOT[0], SPOT[1]] == PLANTED
    assert from_tensor(tensor, cube).identical(cube)
    assert from_tensor(tensor, cube, units="reflectance").attrs["units"] == "reflectance"


def test_unknown_wavelengths_stay_unknown():
    """A cube without band centres counts bands, and stops what needs nm."""
    cube = make_cube(planted_cube(), None, source="x.mat")
    assert not has_wavelengths(cube)
    assert not has_wavelengths(from_tensor(to_tensor(cube), cube))
    with pytest.raises(WavelengthError, match="A spectral response needs wavelengths") as caught:
        wavelengths_nm(cube, "A spectral response")
    assert "x.mat" in str(caught.value)
    assert "wavelengths=[...]" in str(caught.value)


def test_shapes_must_fit():
    """Two axes are no cube, and wavelengths come one per band."""
    with pytest.raises(ShapeError, match=r"this array has shape \(5, 9\)"):
        make_cube(np.zeros((5, 9)), None)
    with pytest.raises(ShapeError, match="2 wavelengths were given for 24 bands"):
        make_cube(planted_cube(), [400, 500])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_without_a_value_are_found(value):
    """NaN and infinite values are reported with their number and the first place."""
    values = planted_cube("float32")
    values[3, 8, 23] = values[4, 0, 1] = value
    with pytest.raises(PixelError, match="2 of 45 pixels") as caught:
        check_finite(make_cube(values, centres()))
    assert "row 3, column 8, band 23" in str(caught.value)
    check_finite(make_cube(planted_cube(), centres()))


def test_bad_bands_drop_with_their_wavelengths():
    """Dropping bad bands keeps pixels and wavelengths together, and the original whole."""
    cube = make_cube(planted_cube(), centres(), bad_bands=(0, 22))
    good = drop_bad_bands(cube)
    assert good.shape == (5, 9, 22)
    assert good.values[3, 8, 21] == PLANTED
    assert good.wavelength.values[-1] == centres()[-1]
    assert good.attrs["bad_bands"] == []
    assert cube.attrs["bad_bands"] == [0, 22]
    assert drop_bad_bands(good) is good
