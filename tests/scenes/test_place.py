"""Laws of map coordinates: which files have them, and where their pixels lie."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from hsirepro.errors import ShapeError
from hsirepro.optics import check_pair
from hsirepro.scenes import from_tensor, open_scene, to_tensor
from hsirepro.scenes.readers.place import X_NAMES, named

from .formats import SHAPE, planted_cube, wavelengths_nm, write_envi
from .test_readers import write_geotiff

X = 383851.0 + 9.0 * (np.arange(SHAPE[1]) + 0.5)
Y = 5819308.0 - 9.0 * (np.arange(SHAPE[0]) + 0.5)


def envi(folder, **fields):
    pytest.importorskip("spectral")
    info = "{UTM, 1, 1, 383851, 5819308, 9, 9, 33, North, WGS-84}"
    crs = '{PROJCS["UTM Zone 33N",GEOGCS["WGS 84"]]}'
    fields = {"map_info": info, "coordinate_system_string": crs, **fields}
    return write_envi(folder, **fields)


def geotiff(folder):
    write_geotiff(folder / "x.tif", planted_cube())
    return folder / "x.tif"


def netcdf(folder, engine="h5netcdf", x=X, y=Y, names=("y", "x")):
    data = xr.DataArray(planted_cube(), dims=(*names, "band"), name="cube")
    data = data.assign_coords({names[0]: y, names[1]: x})
    data.attrs["grid_mapping"] = "where"
    dataset = data.to_dataset().assign(where=((), 0, {"crs_wkt": "PROJCS[...]"}))
    dataset.to_netcdf(folder / "x.nc", engine=engine)
    return folder / "x.nc"


def hdf5(folder, x=X, y=Y, names=("y", "x")):
    with h5py.File(folder / "x.h5", "w") as file:
        file["scene/cube"] = np.moveaxis(planted_cube(), -1, 0)
        file["scene/wavelength"] = wavelengths_nm()
        file[f"scene/{names[0]}"], file[f"scene/{names[1]}"] = y, x
        file["where"] = 0
        file["where"].attrs["spatial_ref"] = "PROJCS[...]"
        file["scene/cube"].attrs["grid_mapping"] = "where"
    return folder / "x.h5"


@pytest.mark.parametrize("write", [envi, geotiff, netcdf, hdf5])
def test_pixels_lie_where_the_file_says(tmp_path, write):
    """Every format with a map gives the centres of its pixels, and what it calls the map."""
    opened = open_scene(write(tmp_path))
    np.testing.assert_allclose(opened.x, X)
    np.testing.assert_allclose(opened.y, Y)
    assert opened.attrs["crs"]
    part = opened.isel(x=slice(2, 5))
    np.testing.assert_allclose(from_tensor(to_tensor(part), part).x, X[2:5])


@pytest.mark.parametrize("write", [netcdf, hdf5])
@pytest.mark.parametrize("names", [("lat", "lon"), ("Latitude", "Longitude")])
def test_degrees_are_map_units_too(tmp_path, write, names):
    """Longitude stands along columns and latitude along rows."""
    lon, lat = 11.5 + 1e-3 * np.arange(9), 48 - 1e-3 * np.arange(5)
    opened = open_scene(write(tmp_path, x=lon, y=lat, names=names))
    np.testing.assert_allclose(opened.x, lon)
    np.testing.assert_allclose(opened.y, lat)


def test_classic_netcdf_has_coordinates_too(tmp_path):
    """NetCDF-3 keeps coordinates as NetCDF-4 does."""
    np.testing.assert_allclose(open_scene(netcdf(tmp_path, engine="scipy")).x, X)


@pytest.mark.parametrize(
    "info",
    [
        "{UTM, 1, 1, 383851, 5819308, 9, 9, 33, North, WGS-84, units=Meters, rotation=-12.5}",
        "{Arbitrary, 1, 1, 0, 0, 9, 9, 0, North}",
        "{UTM, 1, 1, 383851, 5819308, 0, 9, 33}",
        "{UTM, 1, 1, nan, 5819308, 9, 9, 33}",
        "{UTM}",
    ],
)
def test_envi_without_a_plain_map(tmp_path, info):
    """A turned or arbitrary raster has no coordinates along its rows and columns."""
    assert set(open_scene(envi(tmp_path, map_info=info)).coords) == {"wavelength"}


def test_envi_reference_pixel(tmp_path):
    """The reference pixel counts from 1 at the outer corner; rotation=0 is none."""
    info = "{UTM, 1.5, 2.5, 383855.5, 5819294.5, 9, 9, 33, North, WGS-84, rotation=0.00}"
    opened = open_scene(envi(tmp_path, map_info=info))
    np.testing.assert_allclose(opened.x, X)
    np.testing.assert_allclose(opened.y, Y)


@pytest.mark.parametrize(
    "vector",
    [
        np.arange(9),
        np.arange(9.0) + 1,
        np.geomspace(100, 900, 9),
        np.full(9, 5.0),
        X * np.nan,
        X[:8],
        X[[0, 2, 1]],
    ],
)
def test_what_is_no_map_coordinate(vector):
    """Pixel numbers, uneven steps and vectors of another length are no places."""
    assert named([("x", vector)], X_NAMES, 9) is None


def test_which_vector_is_the_coordinate():
    """Metres go before degrees, a name borne twice tells nothing, and rounding is no unevenness."""
    assert named([("lon", X / 1e5), ("g/Easting", X)], X_NAMES, 9)[0] == X[0]
    assert named([("a/x", X), ("b/x", X + 1)], X_NAMES, 9) is None
    assert named([("x", X.astype("float32"))], X_NAMES, 9) is not None


def test_images_of_other_ground_are_refused(tmp_path):
    """Two files whose maps lie 100 km apart are no pair, though their sizes fit."""
    hsi = open_scene(geotiff(tmp_path))
    fine = np.repeat(np.repeat(hsi.values, 2, axis=0), 2, axis=1)
    msi = xr.DataArray(fine, dims=hsi.dims, attrs={"gsd_m": 4.5})
    x, y = 383851.0 + 4.5 * (np.arange(18) + 0.5), 5819308.0 - 4.5 * (np.arange(10) + 0.5)
    check_pair(hsi, msi.assign_coords(x=x, y=y), 2)
    with pytest.raises(ShapeError, match="do not overlap along x"):
        check_pair(hsi, msi.assign_coords(x=x + 100_000, y=y), 2)
