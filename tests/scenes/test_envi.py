"""Laws of the ENVI reader."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import FormatError, PixelError
from hsirepro.scenes import check_finite, drop_bad_bands, open_scene

from .formats import (
    ENVI_TYPES,
    ORDERS,
    PLANTED,
    SHAPE,
    SPOT,
    braces,
    planted_cube,
    wavelengths_nm,
    write_envi,
)

pytest.importorskip("spectral")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize("interleave", ORDERS)
def test_planted_value_survives_every_storage_order(tmp_path, interleave, byte_order, packed):
    """Interleave, byte order and compression change the bytes, not the cube."""
    storage = {"interleave": interleave, "byte_order": byte_order, "packed": packed}
    header = write_envi(tmp_path, **storage, offset=16)
    opened = open_scene(header)
    assert opened.shape == SHAPE
    assert opened.values[SPOT] == PLANTED
    np.testing.assert_array_equal(opened.values, planted_cube().astype(np.float32))


@pytest.mark.parametrize("dtype", ENVI_TYPES)
def test_all_real_data_types(tmp_path, dtype):
    """Each ENVI data type of real numbers is read in its own width."""
    cube = planted_cube(dtype)
    opened = open_scene(write_envi(tmp_path, cube=cube, byte_order=1))
    np.testing.assert_array_equal(opened.values, cube.astype(np.float32))


@pytest.mark.parametrize("ext", ["", ".img", ".dat", ".bsq", ".raw", ".IMG"])
def test_header_and_data_are_the_same_scene(tmp_path, ext):
    """The user may name the header or the data file; the hash is that of the pixels."""
    header = write_envi(tmp_path, ext=ext)
    by_data = open_scene(tmp_path / f"cube{ext}")
    by_header = open_scene(header)
    assert by_data.identical(by_header.assign_attrs(source=by_data.attrs["source"]))
    assert len(by_header.attrs["sha256"]) == 64


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("Nanometers", 1), ("nm", 1), ("Micrometers", 1e3), ("um", 1e3), ("Unknown", 1e3), (None, 1)],
)
def test_wavelength_units_become_nm(tmp_path, unit, factor):
    """Band centres come out in nm from any unit, and from none where numbers leave no doubt."""
    fields = {"wavelength": braces(wavelengths_nm() / factor), "wavelength_units": unit}
    opened = open_scene(write_envi(tmp_path, **fields))
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm())


def test_a_unit_that_is_no_length_leaves_wavelengths_unknown(tmp_path):
    """A header that counts bands does not know their centres."""
    fields = {"wavelength": braces(range(1, 25)), "wavelength_units": "Index"}
    opened = open_scene(write_envi(tmp_path, **fields))
    assert opened.wavelength.attrs["units"] == "band index"


def test_band_names_with_one_length_each(tmp_path):
    """HyMap headers write band centres only into the band names."""
    names = [f"band {b + 1} ({w / 1e3:.6f} Micrometers)" for b, w in enumerate(wavelengths_nm())]
    opened = open_scene(write_envi(tmp_path, band_names=braces(names)))
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm(), rtol=1e-6)
    names[5] = "band 6 (bad)"
    opened = open_scene(write_envi(tmp_path, band_names=braces(names)))
    assert opened.wavelength.attrs["units"] == "band index"


def test_bad_band_list(tmp_path):
    """Zeros of bbl are bad bands, 0-based, and can be dropped with their wavelengths."""
    bbl = [0.0 if band in (0, 7) else 1.0 for band in range(24)]
    fields = {"wavelength": braces(wavelengths_nm()), "bbl": braces(bbl)}
    opened = open_scene(write_envi(tmp_path, **fields))
    assert opened.attrs["bad_bands"] == [0, 7]
    good = drop_bad_bands(opened)
    np.testing.assert_allclose(good.wavelength, np.delete(wavelengths_nm(), [0, 7]))


def test_scale_factor_divides_and_the_user_may_replace_it(tmp_path):
    """The reflectance scale factor turns counts into reflectance, unless scale is given."""
    header = write_envi(tmp_path, **{"reflectance_scale_factor": 10000})
    opened = open_scene(header)
    assert opened.values[SPOT] == pytest.approx(0.1234)
    assert opened.attrs["units"] == "reflectance"
    assert open_scene(header, scale=2).values[SPOT] == PLANTED / 2


def test_ignore_value_becomes_nan_and_is_noticed(tmp_path):
    """Pixels without data are NaN after opening, also where the scale would hide them."""
    cube = planted_cube()
    cube[1, 2, :] = -9999
    fields = {"data_ignore_value": -9999, "reflectance_scale_factor": 10000}
    opened = open_scene(write_envi(tmp_path, cube=cube, **fields))
    assert np.isnan(opened.values[1, 2]).all()
    assert np.isnan(opened.values).sum() == 24
    with pytest.raises(PixelError, match="1 of 45 pixels"):
        check_finite(opened)


def test_keys_in_capitals_and_map_info(tmp_path):
    """Header keys may be capitalised; metric map info gives the ground sampling distance."""
    info = "{UTM, 1, 1, 383851.3, 5819308.2, 9, 9, 33, North, WGS-84}"
    header = write_envi(tmp_path, **{"map_info": info, "sensor_type": "HyMap"})
    header.write_text(header.read_text().replace("map info", "Map Info"))
    opened = open_scene(header)
    assert opened.attrs["gsd_m"] == 9.0
    assert opened.attrs["sensor"] == "HyMap"


def test_header_without_data(tmp_path):
    """A header alone is not a scene: the error names the file that should stand beside it."""
    header = write_envi(tmp_path)
    (tmp_path / "cube.img").unlink()
    with pytest.raises(FormatError, match=r"'cube\.hdr' has no data file") as caught:
        open_scene(header)
    assert "cube.img" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_data_without_header(tmp_path):
    """Plain numbers cannot be read without their header."""
    write_envi(tmp_path).unlink()
    with pytest.raises(FormatError, match="no header beside it") as caught:
        open_scene(tmp_path / "cube.img")
    assert "cube.img.hdr nor cube.hdr" in str(caught.value)


def test_two_data_files_beside_one_header(tmp_path):
    """With two possible data files none is guessed."""
    header = write_envi(tmp_path)
    (tmp_path / "cube.dat").write_bytes(b"x")
    with pytest.raises(FormatError, match="more than one data file") as caught:
        open_scene(header)
    assert "cube.img" in str(caught.value)
    assert "cube.dat" in str(caught.value)
    assert open_scene(tmp_path / "cube.img").values[SPOT] == PLANTED


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("change", "word"), [(-2, "short"), (2, "long")])
def test_data_of_the_wrong_size(tmp_path, change, word, packed):
    """Data that do not fit the header are refused with both sizes."""
    cube = planted_cube()
    header = write_envi(tmp_path, packed=packed)
    text = header.read_text().replace("lines = 5", f"lines = {5 - change}")
    header.write_text(text)
    with pytest.raises(FormatError, match=f"too {word}") as caught:
        open_scene(header)
    assert f"{(5 - change) * 9 * 24 * 2} bytes" in str(caught.value)
    assert packed or f"{cube.nbytes} bytes" in str(caught.value)


def test_truncated_gzip(tmp_path):
    """Compressed data that break off are refused."""
    header = write_envi(tmp_path, packed=True)
    packed = tmp_path / "cube.img.gz"
    packed.write_bytes(packed.read_bytes()[:100])
    with pytest.raises(FormatError, match=r"gzip-ed ENVI data.*truncated"):
        open_scene(header)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("ENVI\n", "ESRI\n", "ENVI"),
        ("bands = 24\n", "", "bands"),
        ("bands = 24", "bands = many", "many"),
        ("interleave = bsq", "interleave = tiled", "tiled"),
        ("data type = 2", "data type = 99", "99"),
        ("lines = 5", "lines = 0", "lines = 0"),
        ("lines = 5", "lines = {5, 5}", "TypeError"),
        ("a test cube }", "a test cube", "never closed"),
        ("bands = 24", "bands = 24\nmap info = {UTM, 1, 1, 5e5, 5e6, x, 4, 33}", "map info: x"),
        ("bands = 24", "bands = 24\ndata gain values = {nan" + ", 1" * 23 + "}", "finite"),
        ("ENVI Standard", "ENVI Spectral Library", "Spectral Library"),
    ],
)
def test_damaged_headers(tmp_path, old, new, found):
    """A header that cannot describe a cube is refused, and the error shows the reason."""
    header = write_envi(tmp_path)
    header.write_text(header.read_text().replace(old, new, 1))
    with pytest.raises(FormatError, match="cannot be read as") as caught:
        open_scene(header)
    assert found in str(caught.value)


@pytest.mark.parametrize("name", ["wavelength", "bbl"])
def test_lists_of_the_wrong_length(tmp_path, name):
    """A list with fewer values than bands is refused: nothing is shifted silently."""
    header = write_envi(tmp_path, **{name: braces(range(400, 423))})
    with pytest.raises(FormatError, match=f"'{name}'.*23 values for 24 bands"):
        open_scene(header)


@pytest.mark.parametrize("value", ["-1", "0", "nan", "inf", "1e-50", "1e39"])
def test_a_scale_factor_that_cannot_divide(tmp_path, value):
    """A reflectance scale factor must be finite and above 0, also in single precision."""
    header = write_envi(tmp_path, reflectance_scale_factor=value)
    with pytest.raises(FormatError, match=r"'reflectance scale factor'.* finite and above 0"):
        open_scene(header)


def test_a_list_is_no_scale_factor(tmp_path):
    """A field that must be one number is refused when it is a list."""
    header = write_envi(tmp_path, reflectance_scale_factor="{1, 2}")
    with pytest.raises(FormatError, match="cannot be read as an ENVI header"):
        open_scene(header)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_headers_in_any_western_encoding(tmp_path, encoding):
    """Umlauts, the sign of micro and a byte order mark do not make a header a binary file."""
    fields = {"wavelength": braces(wavelengths_nm() / 1e3), "wavelength_units": "µm"}
    header = write_envi(tmp_path, **fields)
    text = header.read_text("utf-8").replace("a test cube", "Gelände München")
    header.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    opened = open_scene(header)
    assert opened.values[SPOT] == PLANTED
    np.testing.assert_allclose(opened.wavelength, wavelengths_nm())


def test_gains_and_offsets_come_before_the_scale_factor(tmp_path):
    """A stored value is multiplied by its band's gain and raised by its offset, then divided."""
    gain, offset = np.full(24, 0.5), np.arange(24.0)
    fields = {"data_gain_values": braces(gain), "data_ignore_value": 0}
    header = write_envi(tmp_path, **fields)
    opened = open_scene(header)
    assert opened.values[SPOT] == PLANTED / 2
    assert np.isnan(opened.values[0, 0, 0])
    fields |= {"data_offset_values": braces(offset), "reflectance_scale_factor": 10}
    header = write_envi(tmp_path, **fields)
    assert open_scene(header).values[SPOT] == pytest.approx((PLANTED / 2 + 23) / 10)
    assert open_scene(header, scale=2).values[SPOT] == PLANTED / 2


def test_comments_in_a_header(tmp_path):
    """Lines that begin with a semicolon are no part of the header, inside braces neither."""
    header = write_envi(tmp_path, wavelength=braces(wavelengths_nm()))
    text = header.read_text().replace("bands = 24", "; bands = 7\nbands = 24")
    header.write_text(text.replace("wavelength = {", "wavelength = {\n; nm, as measured\n"))
    np.testing.assert_allclose(open_scene(header).wavelength, wavelengths_nm())


def test_complex_data_are_named(tmp_path):
    """Complex data are refused with what to do about them."""
    header = write_envi(tmp_path)
    header.write_text(header.read_text().replace("data type = 2", "data type = 6"))
    with pytest.raises(FormatError, match="complex numbers") as caught:
        open_scene(header)
    assert "store the magnitude, abs(cube), or the real part" in str(caught.value)
