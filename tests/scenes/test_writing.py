"""Results in files: nothing is overwritten, and what is written is what is read."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hsirepro.errors import ParameterError
from hsirepro.scenes import open_scene
from hsirepro.scenes.writing import check_output, write_cube


@pytest.fixture(scope="module")
def cube():
    """Return a cube with wavelengths and units."""
    return open_scene("planted").isel(y=slice(0, 12), x=slice(0, 9))


def test_the_fused_cube_comes_back_from_its_file(cube, tmp_path):
    """open_scene reads the pixels, wavelengths and units that were written."""
    path = check_output(str(tmp_path / "fused.nc"))
    write_cube(cube, path, fusion="truth", profile="smoke")
    again = open_scene(str(path))
    np.testing.assert_array_equal(again.values, cube.values)
    np.testing.assert_allclose(again.wavelength, cube.wavelength)
    assert again.attrs["units"] == "reflectance"
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        assert stored["cube"].attrs["fusion"] == "truth"
    assert [file.name for file in tmp_path.iterdir()] == ["fused.nc"]


def test_nothing_is_overwritten_and_no_folder_is_made(cube, tmp_path):
    """An output that cannot be is refused before work starts, and at the end once more."""
    assert check_output("") is None
    there = tmp_path / "fused.nc"
    there.write_bytes(b"mine")
    with pytest.raises(ParameterError, match="is there already, and is not overwritten"):
        check_output(str(there))
    with pytest.raises(ParameterError, match="is there already"):
        write_cube(cube, there)
    assert there.read_bytes() == b"mine"
    with pytest.raises(ParameterError) as caught:
        check_output(str(tmp_path / "gone" / "fused.nc"))
    assert "does not exist" in str(caught.value)
    assert str(tmp_path / "gone") in str(caught.value)
    with pytest.raises(ParameterError, match=r"let it end in \.nc"):
        check_output(str(tmp_path / "fused.tif"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """A read-only folder is found out by trying, whoever runs it."""

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hsirepro.scenes.writing.tempfile.TemporaryFile", refuse)
    with pytest.raises(ParameterError) as caught:
        check_output(str(tmp_path / "fused.nc"))
    assert "cannot be written" in str(caught.value)
    assert "Permission denied" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
