"""Laws of the readers of MATLAB, NumPy, HDF5, NetCDF and GeoTIFF files."""

from __future__ import annotations

import pickle
import sys

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from hsirepro.errors import FormatError
from hsirepro.scenes import open_scene
from hsirepro.scenes.readers import EXTENSIONS, read

from .formats import PLANTED, SHAPE, SPOT, planted_cube, wavelengths_nm, write_matlab73


def write_npy(path, cube):
    np.save(path, cube)


def write_npz(path, cube):
    np.savez(path, cube=cube, centres=wavelengths_nm())


def write_v5(path, cube):
    scipy.io.savemat(path, {"cube": cube, "centres": wavelengths_nm(), "labels": cube[:, :, 0]})


def write_v73(path, cube):
    write_matlab73(path, cube=cube, centres=wavelengths_nm().reshape(1, -1))


def write_hdf5(path, cube):
    with h5py.File(path, "w") as file:
        file["scene/cube"] = cube
        file["scene/centres"] = wavelengths_nm()


def write_netcdf(path, cube, spectral_first=True):
    data = xr.DataArray(cube, dims=("y", "x", "band"), name="reflectance")
    data = data.assign_coords(wavelength=("band", wavelengths_nm() / 1e3, {"units": "micrometer"}))
    data = data.transpose("band", "y", "x") if spectral_first else data
    data.to_dataset().to_netcdf(path, engine="h5netcdf")


def write_geotiff(path, cube, nodata=None, scales=None, offsets=None, tags=None, names=None):
    rasterio = pytest.importorskip("rasterio")
    rows, cols, bands = cube.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": bands}
    transform = rasterio.transform.from_origin(383851.0, 5819308.0, 9.0, 9.0)
    profile |= {"dtype": cube.dtype, "nodata": nodata, "crs": "EPSG:32633", "transform": transform}
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.moveaxis(cube, -1, 0))
        for band in range(bands if tags else 0):
            raster.update_tags(band + 1, **tags(band))
        for band in range(bands if names else 0):
            raster.set_band_description(band + 1, names(band))
        if scales is not None:
            raster.scales, raster.offsets = scales, offsets


def wavelength_tags(band):
    return {"wavelength": f"{wavelengths_nm()[band] / 1e3}", "wavelength_units": "Micrometers"}


WRITERS = {
    "cube.npy": write_npy,
    "cube.npz": write_npz,
    "v5.mat": write_v5,
    "v73.mat": write_v73,
    "cube.h5": write_hdf5,
    "cube.nc": write_netcdf,
    "cube.tif": lambda path, cube: write_geotiff(path, cube, tags=wavelength_tags),
}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("name", WRITERS)
def test_planted_value_is_where_it_was_put(tmp_path, name, dtype):
    """Every format hands over (rows, columns, bands) in this order, as float32."""
    path = tmp_path / name
    cube = planted_cube(dtype)
    WRITERS[name](path, cube)
    opened = open_scene(path)
    assert opened.shape == SHAPE
    assert opened.dtype == np.float32
    assert opened.values[SPOT] == np.array(PLANTED).astype(dtype)
    np.testing.assert_array_equal(opened.values, cube.astype(np.float32))


@pytest.mark.parametrize("name", [n for n in WRITERS if n != "cube.npy"])
def test_band_centres_in_the_file_are_found_in_nm(tmp_path, name):
    """A file that knows its band centres passes them on in nm, whatever its own unit."""
    WRITERS[name](tmp_path / name, planted_cube())
    opened = open_scene(tmp_path / name)
    assert opened.wavelength.attrs["units"] == "nm"
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm(), rtol=1e-6)


def test_band_numbers_are_not_taken_for_wavelengths(tmp_path):
    """A vector of band numbers has the right length but is no spectrum."""
    scipy.io.savemat(tmp_path / "x.mat", {"cube": planted_cube(), "ids": np.arange(1, 25)})
    assert open_scene(tmp_path / "x.mat").wavelength.attrs["units"] == "band index"


def test_two_possible_wavelength_vectors_are_left_alone(tmp_path):
    """Where two vectors could be the band centres none is guessed."""
    arrays = {"cube": planted_cube(), "a": wavelengths_nm(), "b": wavelengths_nm() + 1}
    scipy.io.savemat(tmp_path / "x.mat", arrays)
    assert open_scene(tmp_path / "x.mat").wavelength.attrs["units"] == "band index"


@pytest.mark.parametrize("kind", ["v5.mat", "v73.mat", "x.npz", "x.h5"])
def test_two_cubes_need_a_key(tmp_path, kind):
    """With two candidates the error lists both with their shapes, and the key decides."""
    path, cube = tmp_path / kind, planted_cube()
    arrays = {"hsi": cube, "rgb": cube[:, :, :3].copy()}
    if kind == "v5.mat":
        scipy.io.savemat(path, arrays)
    elif kind == "v73.mat":
        write_matlab73(path, **arrays)
    elif kind == "x.npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    with pytest.raises(FormatError, match="more than one array") as caught:
        open_scene(path)
    assert "hsi 5 x 9 x 24, rgb 5 x 9 x 3" in str(caught.value)
    assert "key='hsi'" in str(caught.value)
    assert open_scene(path, key="hsi").values[SPOT] == PLANTED
    assert open_scene(path, key="rgb").shape == (5, 9, 3)
    with pytest.raises(FormatError, match="no numeric array 'msi'"):
        open_scene(path, key="msi")


def test_no_cube_in_the_file(tmp_path):
    """A file of label maps is not a cube, and the error says what it holds."""
    scipy.io.savemat(tmp_path / "gt.mat", {"labels": np.zeros((5, 9))})
    with pytest.raises(FormatError, match="no array with three axes") as caught:
        open_scene(tmp_path / "gt.mat")
    assert "labels 5 x 9" in str(caught.value)
    with pytest.raises(FormatError, match=r"not \(rows, columns, bands\)"):
        open_scene(tmp_path / "gt.mat", key="labels")


@pytest.mark.parametrize("name", [n for n in WRITERS if n != "cube.npy"])
@pytest.mark.parametrize("part", [0.5, 0.05])
def test_truncated_files_say_so(tmp_path, name, part):
    """A file that breaks off is refused with its name and size, whatever its format."""
    path = tmp_path / name
    WRITERS[name](path, planted_cube("float64"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(FormatError, match="truncated, damaged or of another kind") as caught:
        open_scene(path)
    assert f"{path.stat().st_size} bytes" in str(caught.value)
    assert "next step" in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_another_kind_are_refused(tmp_path, name):
    """A web page saved under a cube's name is not a cube."""
    path = tmp_path / name
    path.write_text("<html><body>404 not found</body></html>")
    with pytest.raises(FormatError, match=path.name):
        open_scene(path)


def test_truncated_npy_says_so(tmp_path):
    """A .npy file that is shorter than its header promises is refused."""
    path = tmp_path / "cube.npy"
    write_npy(path, planted_cube())
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FormatError, match="truncated"):
        open_scene(path)


class Bomb:
    """Would write a file if it were unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "raw.npy"])
def test_pickles_are_never_loaded(tmp_path, name):
    """Pickled objects can run code: they are refused before anything of them runs."""
    target, path = tmp_path / "harm", tmp_path / name
    array = np.array([Bomb(target)], dtype=object)
    if name == "x.npz":
        np.savez(path, cube=array)
    elif name == "x.npy":
        np.save(path, array, allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(FormatError, match="pickle"):
        open_scene(path)
    assert not target.exists()


def test_unknown_extension_lists_what_can_be_read(tmp_path):
    """A format that is not known is refused with the list of those that are."""
    (tmp_path / "scene.xyz").write_text("x")
    with pytest.raises(FormatError, match=r"'\.xyz'") as caught:
        open_scene(tmp_path / "scene.xyz")
    assert all(e in str(caught.value) for e in EXTENSIONS if e)


@pytest.mark.parametrize(("name", "library"), [("x.tif", "rasterio"), ("x.hdr", "spectral")])
def test_missing_library_names_the_extra(tmp_path, monkeypatch, name, library):
    """Without the optional library the error says how to install it."""
    (tmp_path / name).write_text("x")
    monkeypatch.setitem(sys.modules, library, None)
    for module in [m for m in sys.modules if m.startswith(f"{library}.")]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FormatError, match=library) as caught:
        open_scene(tmp_path / name)
    assert "pip install 'hsirepro[io]'" in str(caught.value)


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("v73.mat", "cube.nc")])
def test_complex_numbers_are_not_pixels(tmp_path, name):
    """A cube of complex numbers is refused instead of losing its imaginary part."""
    WRITERS[name](tmp_path / name, planted_cube("complex64") * 1j)
    with pytest.raises(FormatError, match="complex numbers; pixels are real") as caught:
        open_scene(tmp_path / name)
    assert "store the magnitude" in str(caught.value)


def write_vectors(path, cube, **vectors):
    """Write a cube with vectors beside it, in the format of the name."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, array in {"cube": cube, **vectors}.items():
                file[name] = array
    elif path.suffix == ".npz":
        np.savez(path, cube=cube, **vectors)
    else:
        scipy.io.savemat(path, {"cube": cube, **vectors})


VECTOR_FILES = ["x.mat", "x.npz", "x.h5"]
TOWN = 11.5 + 0.001 * np.arange(24)  # degrees east, which could be micrometres


@pytest.mark.parametrize("kind", VECTOR_FILES)
@pytest.mark.parametrize("name", ["lon", "Longitude", "x", "grid_easting", "time", "fwhm"])
def test_places_are_not_taken_for_wavelengths(tmp_path, kind, name):
    """A vector that its name makes a place, a time or a width is never a spectrum."""
    write_vectors(tmp_path / kind, planted_cube(), **{name: TOWN})
    assert open_scene(tmp_path / kind).wavelength.attrs["units"] == "band index"


@pytest.mark.parametrize("kind", VECTOR_FILES)
@pytest.mark.parametrize("name", ["wavelength", "Band_Centers", "lambda_nm", "wl", "centres"])
def test_spectral_names_win(tmp_path, kind, name):
    """A vector that is named as the band centres are goes before any that only looks like them."""
    vectors = {"depth": TOWN, name: wavelengths_nm()}
    write_vectors(tmp_path / kind, planted_cube(), **vectors)
    np.testing.assert_allclose(open_scene(tmp_path / kind).wavelength, wavelengths_nm())


@pytest.mark.parametrize("kind", VECTOR_FILES)
def test_descending_wavelengths_keep_the_order_of_the_file(tmp_path, kind):
    """Some sensors store the longest wavelength first; bands stay where they are."""
    write_vectors(tmp_path / kind, planted_cube(), wl=wavelengths_nm()[::-1])
    opened = open_scene(tmp_path / kind)
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm()[::-1])
    assert opened.values[SPOT] == PLANTED


@pytest.mark.parametrize("kind", VECTOR_FILES)
def test_wavelengths_stored_twice(tmp_path, kind):
    """The same band centres in nm and in rounded micrometres are no contradiction."""
    micro = (wavelengths_nm() / 1e3).round(3)
    write_vectors(tmp_path / kind, planted_cube(), wl=wavelengths_nm(), wl_um=micro)
    np.testing.assert_allclose(open_scene(tmp_path / kind).wavelength, wavelengths_nm())


@pytest.mark.parametrize("kind", ["x.mat", "x.npz", "v73.mat"])
def test_wavelengths_that_fit_another_axis(tmp_path, kind):
    """Where the band centres fit the rows, the error says so instead of opening a wrong cube."""
    turned, path = np.moveaxis(planted_cube(), -1, 0), tmp_path / kind
    if kind == "v73.mat":
        write_matlab73(path, cube=turned, wl=wavelengths_nm())
    else:
        write_vectors(path, turned, wl=wavelengths_nm())
    with pytest.raises(FormatError, match="24 centres fit axis 1") as caught:
        open_scene(path)
    assert "store the cube as rows x columns x bands" in str(caught.value)
    assert open_scene(path, key="cube").shape == (24, 5, 9)


@pytest.mark.parametrize("unit", ["", "degrees_east", "m", "nm"])
def test_hdf5_units_speak(tmp_path, unit):
    """A vector in degrees or metres is no spectrum, whatever its values and its name."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["cube"] = planted_cube()
        file["across"] = wavelengths_nm()
        file["across"].attrs["Units"] = unit
    found = open_scene(tmp_path / "x.h5").wavelength.attrs["units"]
    assert found == ("nm" if unit in ("", "nm") else "band index")


def test_hdf5_attributes_of_cf(tmp_path):
    """Fill values become NaN before scale_factor and add_offset make reflectance of counts."""
    cube = planted_cube()
    cube[0, 0], cube[1, 1] = -9999, -8888
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("cube", data=np.moveaxis(cube, -1, 0))
        dataset.attrs["_FillValue"] = np.int16(-9999)
        dataset.attrs["missing_value"] = np.array([-9999, -8888], np.int16)
        dataset.attrs["scale_factor"] = np.array([1e-4])
        dataset.attrs["add_offset"] = 0.5
        dataset.attrs["units"] = "unitless"
        file["wavelength"] = wavelengths_nm()
    opened = open_scene(tmp_path / "x.h5")
    assert np.isnan(opened.values).sum() == 2 * 24
    assert np.isnan(opened.values[[0, 1], [0, 1]]).all()
    assert opened.values[SPOT] == pytest.approx(PLANTED * 1e-4 + 0.5)
    assert opened.attrs["units"] == "unitless"
    assert open_scene(tmp_path / "x.h5", scale=2).values[SPOT] == PLANTED / 2


@pytest.mark.parametrize("underscore", ["_", " "])
def test_hdf5_attributes_of_neon(tmp_path, underscore):
    """NEON's scale factor divides, and its ignore value becomes NaN."""
    cube = planted_cube()
    cube[0, 0] = -9999
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("SITE/Reflectance/Reflectance_Data", data=cube)
        dataset.attrs[f"Data{underscore}Ignore{underscore}Value"] = -9999.0
        dataset.attrs[f"Scale{underscore}Factor"] = 10000.0
        file["SITE/Reflectance/Metadata/Spectral_Data/Wavelength"] = wavelengths_nm()
        file["SITE/Reflectance/Metadata/Spectral_Data/FWHM"] = np.linspace(5, 6, 24)
    opened = open_scene(tmp_path / "x.h5")
    assert np.isnan(opened.values).sum() == 24
    assert opened.values[SPOT] == pytest.approx(PLANTED / 10000)
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm())


@pytest.mark.parametrize(
    ("name", "value"), [("Scale_Factor", -1), ("scale_factor", 0), ("scale_factor", [1, 2])]
)
def test_hdf5_scales_that_cannot_scale(tmp_path, name, value):
    """An impossible scale is refused with the name of the attribute."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("cube", data=planted_cube()).attrs[name] = value
    with pytest.raises(FormatError, match=f"attribute {name} of cube"):
        open_scene(tmp_path / "x.h5")


def test_generic_hdf5_finds_its_spectral_axis(tmp_path):
    """In HDF5 the axis as long as the band centres is the spectral one, wherever it stands."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["cube"] = np.moveaxis(planted_cube(), -1, 0)
        file["wl"] = wavelengths_nm()
    assert open_scene(tmp_path / "x.h5").values[SPOT] == PLANTED


def test_hdf5_without_centres_is_taken_as_stored(tmp_path):
    """Without band centres an HDF5 cube is (rows, columns, bands) as stored."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["cube"] = planted_cube()
    assert open_scene(tmp_path / "x.h5").values[SPOT] == PLANTED


@pytest.mark.parametrize("first", [True, False])
def test_netcdf_spectral_dimension_is_known_by_name(tmp_path, first):
    """NetCDF names its dimensions, so their order does not matter."""
    write_netcdf(tmp_path / "x.nc", planted_cube(), spectral_first=first)
    assert open_scene(tmp_path / "x.nc").values[SPOT] == PLANTED


def test_netcdf_without_a_spectral_dimension(tmp_path):
    """Where no dimension can be the spectral one the error lists them all."""
    data = xr.DataArray(planted_cube(), dims=("a", "b", "c"), name="cube")
    data.to_dataset().to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(FormatError, match="spectral one") as caught:
        open_scene(tmp_path / "x.nc")
    assert "a: 5, b: 9, c: 24" in str(caught.value)


@pytest.mark.parametrize("dim", ["wavelength", "band", "c"])
def test_netcdf_longitudes_are_no_spectrum(tmp_path, dim):
    """Coordinates of a map never make a dimension spectral beside one that is named so."""
    data = xr.DataArray(planted_cube(), dims=("lat", "lon", dim), name="cube")
    data = data.assign_coords(lat=48 - 0.1 * np.arange(5), lon=11.51 + 0.1 * np.arange(9))
    data = data.assign_coords(wavelength=(dim, wavelengths_nm()))
    data.to_dataset().to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    opened = open_scene(tmp_path / "x.nc")
    assert opened.values[SPOT] == PLANTED
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm())


@pytest.mark.parametrize(("name", "unit"), [("easting", ""), ("c", "m"), ("c", "degrees_east")])
def test_netcdf_metres_are_not_guessed(tmp_path, name, unit):
    """Local metres between 250 and 20000 are no wavelengths, by their name or by their unit."""
    data = xr.DataArray(planted_cube(), dims=("a", "b", name), name="cube")
    data = data.assign_coords({name: (name, 1000.0 + np.arange(24), {"units": unit})})
    data.to_dataset().to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(FormatError, match="spectral one"):
        open_scene(tmp_path / "x.nc")


def test_classic_netcdf_opens_too(tmp_path):
    """NetCDF-3 needs no other library."""
    data = xr.DataArray(planted_cube(), dims=("y", "x", "band"), name="cube")
    data.to_dataset().to_netcdf(tmp_path / "x.nc", engine="scipy", format="NETCDF3_64BIT")
    assert open_scene(tmp_path / "x.nc").values[SPOT] == PLANTED


def test_emit_like_netcdf(tmp_path):
    """An EMIT granule keeps band centres and good bands in a group, and fill values are NaN."""
    cube = planted_cube("float32")
    cube[0, 0, 0] = -9999
    data = xr.DataArray(cube, dims=("downtrack", "crosstrack", "bands"), name="reflectance")
    data.attrs["units"] = "unitless"
    encoding = {"reflectance": {"_FillValue": -9999.0}}
    path = tmp_path / "emit.nc"
    data.to_dataset().to_netcdf(path, engine="h5netcdf", encoding=encoding)
    good = np.ones(24)
    good[[2, 5]] = 0
    table = xr.Dataset({"wavelengths": ("bands", wavelengths_nm())})
    table["good_wavelengths"] = ("bands", good)
    table.to_netcdf(path, engine="h5netcdf", mode="a", group="sensor_band_parameters")
    opened = open_scene(path)
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm())
    assert opened.attrs["bad_bands"] == [2, 5]
    assert opened.attrs["units"] == "unitless"
    assert np.isnan(opened.values[0, 0, 0])
    assert np.isnan(opened.values).sum() == 1


def test_geotiff_no_data_scale_and_offset(tmp_path):
    """No data becomes NaN before band scale and offset turn counts into reflectance."""
    cube = planted_cube()
    cube[0, 0, :] = -9999
    scales, offsets = [1e-4] * 23 + [1e-3], [0.0] * 23 + [0.5]
    write_geotiff(tmp_path / "x.tif", cube, nodata=-9999, scales=scales, offsets=offsets)
    opened = open_scene(tmp_path / "x.tif")
    assert np.isnan(opened.values[0, 0]).all()
    assert np.isnan(opened.values).sum() == 24
    assert opened.values[SPOT] == pytest.approx(PLANTED * 1e-3 + 0.5)
    assert opened.values[3, 8, 22] == pytest.approx(cube[3, 8, 22] * 1e-4)
    assert opened.attrs["gsd_m"] == 9.0


def test_geotiff_band_names_with_one_length_each(tmp_path):
    """Band descriptions such as '450.0 nm' are band centres."""
    names = [f"band {b + 1} ({w:.3f} nm)" for b, w in enumerate(wavelengths_nm())]
    write_geotiff(tmp_path / "x.tif", planted_cube(), names=names.__getitem__)
    np.testing.assert_allclose(open_scene(tmp_path / "x.tif").wavelength, wavelengths_nm(), 1e-5)


def test_a_key_for_a_format_without_variables(tmp_path):
    """A key that cannot mean anything is refused, not ignored."""
    write_npy(tmp_path / "x.npy", planted_cube())
    with pytest.raises(FormatError, match="leave key out"):
        open_scene(tmp_path / "x.npy", key="cube")


def test_readers_keep_the_type_of_the_file(tmp_path):
    """A reader makes no wider copy of the cube: float32 comes once, at the end."""
    for name in ("v5.mat", "v73.mat", "cube.npy", "cube.npz", "cube.h5", "cube.tif"):
        WRITERS[name](tmp_path / name, planted_cube())
        assert read(tmp_path / name).values.dtype == np.int16, name
