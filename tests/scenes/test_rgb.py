"""Colour images of every kind: read, or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hsirepro.errors import FormatError, HsireproError, ParameterError, PixelError, SceneNotFound
from hsirepro.scenes.rgb import COLOURS, open_rgb

RNG = np.random.default_rng(0)
EIGHT = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def picture(tmp_path, values, name="image.png", mode=None):
    """Write an image and return its path."""
    path = tmp_path / name
    Image.fromarray(values, mode).save(path)
    return path


def raster(tmp_path, values, **profile):
    """Write a GeoTIFF of an array (rows, columns, bands) and return its path."""
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "image.tif"
    rows, columns, count = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=columns, count=count, dtype=values.dtype,
        **profile,
    ) as target:  # fmt: skip
        target.write(np.moveaxis(values, -1, 0))
    return path


def test_eight_bits_become_shares(tmp_path):
    """255 is 1, the order is red, green, blue, and nothing is noted."""
    image = open_rgb(picture(tmp_path, EIGHT))
    assert image.dims == ("y", "x", "colour")
    assert tuple(image.colour.values) == COLOURS
    assert image.values == pytest.approx(EIGHT / 255.0, abs=1e-6)
    assert image.attrs["notes"] == ()


def test_alpha_is_left_out_aloud(tmp_path):
    """The colours stay; transparent pixels are counted."""
    alpha = np.full((5, 7, 1), 255, dtype=np.uint8)
    alpha[0, :2] = 0
    image = open_rgb(picture(tmp_path, np.concatenate([EIGHT, alpha], axis=2)))
    assert image.values == pytest.approx(EIGHT / 255.0, abs=1e-6)
    assert "2 pixels are transparent" in image.attrs["notes"][0]


def test_palettes_become_colours(tmp_path):
    """A GIF of two colours."""
    values = np.zeros((4, 4, 3), dtype=np.uint8)
    values[:2] = (255, 0, 0)
    path = tmp_path / "image.gif"
    Image.fromarray(values).quantize(4).save(path)
    image = open_rgb(path)
    assert image.values[0, 0] == pytest.approx([1.0, 0.0, 0.0], abs=0.01)
    assert "palette" in image.attrs["notes"][0]


def test_a_png_of_sixteen_bits_keeps_them(tmp_path):
    """Pillow would read the upper eight, and turn 12-bit counts into a black image."""
    rasterio = pytest.importorskip("rasterio")
    values = (RNG.random((3, 4, 4)) * 4095).astype(np.uint16)
    path = tmp_path / "deep.png"
    with rasterio.open(
        path, "w", driver="PNG", height=4, width=4, count=3, dtype="uint16"
    ) as target:
        target.write(values)
    found = open_rgb(path, full_scale=4095).values
    assert found == pytest.approx(np.moveaxis(values, 0, -1) / 4095.0, abs=1e-6)


def test_a_map_keeps_its_place(tmp_path):
    """A GeoTIFF of 16 bits that fill their scale, with a coordinate system."""
    from_origin = pytest.importorskip("rasterio.transform").from_origin
    values = (EIGHT.astype(np.uint16)) * 257
    path = raster(tmp_path, values, crs="EPSG:32617", transform=from_origin(10, 20, 2, 2))
    image = open_rgb(path)
    assert image.values == pytest.approx(EIGHT / 255.0, abs=1e-4)
    assert image.attrs["crs"] == "EPSG:32617"
    assert image.attrs["transform"][:3] == (2.0, 0.0, 10.0)


def test_bands_of_a_raster_are_chosen(tmp_path):
    """Of six bands, 3, 2 and 1 are told to be red, green and blue."""
    values = RNG.integers(0, 256, (4, 4, 6), dtype=np.uint8)
    path = raster(tmp_path, values)
    assert open_rgb(path, bands=(3, 2, 1)).values == pytest.approx(
        values[:, :, [2, 1, 0]] / 255.0, abs=1e-6
    )
    with pytest.raises(ParameterError, match="6 bands; which are red"):
        open_rgb(path)
    with pytest.raises(ParameterError, match="no three of the 6"):
        open_rgb(path, bands=(0, 1, 2))


def test_twelve_bits_in_sixteen_need_their_scale(tmp_path):
    """Up to 4095 of 65535: dark, or another scale? It must be told."""
    values = (RNG.random((4, 4, 3)) * 4095).astype(np.uint16)
    path = raster(tmp_path, values)
    with pytest.raises(ParameterError, match="full_scale=4095"):
        open_rgb(path)
    assert open_rgb(path, full_scale=4095).values == pytest.approx(values / 4095.0, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda folder: folder / "none.png", SceneNotFound, "no colour image"),
        (lambda folder: picture(folder, EIGHT[:, :, 0]), FormatError, "is grey"),
        (
            lambda folder: raster(
                folder, np.where(EIGHT > 200, np.nan, EIGHT).astype(np.float32)
            ),
            PixelError,
            "pixels of 'image.tif' are NaN",
        ),
        (
            lambda folder: raster(folder, EIGHT, nodata=int(EIGHT[0, 0, 0])),
            PixelError,
            "without data",
        ),
    ],
    ids=["missing", "grey", "NaN", "no data"],
)  # fmt: skip
def test_what_is_no_colour_image_is_refused(tmp_path, make, error, text):
    """Each with its reason."""
    with pytest.raises(error, match=text):
        open_rgb(make(tmp_path))


def test_rubbish_is_no_image(tmp_path):
    """A text file with the name of a picture, and a picture cut short."""
    path = tmp_path / "image.png"
    path.write_text("no image")
    with pytest.raises(HsireproError, match="colour image"):
        open_rgb(path)
    whole = picture(tmp_path, RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), "whole.png")
    path.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(HsireproError, match="colour image"):
        open_rgb(path)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_full_scale_is_above_zero(tmp_path, scale):
    """Brightness cannot be divided by nothing."""
    with pytest.raises(ParameterError, match="no brightness"):
        open_rgb(picture(tmp_path, EIGHT), full_scale=scale)
