"""A colour image of one's own: brought to the training images, applied in tiles, and kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from hsirepro.errors import FormatError, ParameterError, PixelError
from hsirepro.papers.inss import open_dataset
from hsirepro.papers.inss.own_image import band_numbers, likeness, open_image, scaled, trained_on
from hsirepro.recovery import Recovered
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.output import check_recovered_output, recovered_cube, write_recovered
from hsirepro.scenes import open_scene

NM = np.array([450.0, 550.0, 650.0, 850.0])


@pytest.fixture(scope="module")
def train():
    """Return the planted training images."""
    return open_dataset("planted").sides["train"]


def geotiff(path, values):
    """Write a GeoTIFF, shape (3, H, W), that lies on a map, 2 m a pixel."""
    import rasterio
    from rasterio.transform import from_origin

    count, rows, columns = values.shape
    told = {"crs": "EPSG:32615", "transform": from_origin(500_000, 4_000_000, 2, 2)}
    shape = {"count": count, "height": rows, "width": columns, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", **shape, **told) as file:
        file.write(values)
    return str(path)


# Scaling


def test_matched_colours_have_mean_and_spread_of_the_training_images(train):
    """Whatever the camera's gain and offset of each colour, as long as nothing turns negative."""
    own = torch.cat([image.flatten(1) for image in train.rgb], dim=1).T.numpy().reshape(64, -1, 3)
    picture = xr.DataArray(0.2 + own * np.array([0.5, 3.0, 1.0]), dims=("y", "x", "colour"))
    rgb, said = scaled(picture, train, "match")
    mean, spread = train.colour_statistics()
    torch.testing.assert_close(rgb.mean(dim=(1, 2)), mean, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(rgb.std(dim=(1, 2)), spread, rtol=1e-3, atol=1e-4)
    assert "red x 2" in said


def test_a_factor_keeps_hues_and_none_keeps_values(train):
    """One number for all colours, and their mean is that of the training images."""
    picture = open_image("planted") * 5
    rgb, _ = scaled(picture, train, "factor")
    stays, _ = scaled(picture, train, "none")
    assert float(rgb.mean()) == pytest.approx(float(train.colour_statistics()[0].mean()), rel=1e-5)
    torch.testing.assert_close(rgb / rgb.mean(), stays / stays.mean())
    assert np.array_equal(stays.permute(1, 2, 0).numpy(), picture.values)


def test_unlike_images_are_told_from_like_ones(train):
    """Other ground of the same materials is alike; the same image with its blue inverted is not.

    The spread of each colour is that of the training images in both.
    """
    picture = open_image("planted")
    like = likeness(scaled(picture, train, "match")[0], train)
    other = picture.copy(data=picture.values * np.array([1, 1, -1], np.float32))
    unlike = likeness(scaled(other, train, "match")[0], train)
    assert like.alike
    assert not unlike.alike
    assert unlike.outside > 2 * like.outside


def test_what_was_trained_on_is_said():
    """Which images, in which unit, and how bright."""
    said = trained_on(open_dataset("planted"))
    assert "2 images (planted-0, planted-1) in relative radiance" in said


# Tiles


def test_tiles_that_share_twice_the_reach_equal_the_whole():
    """INSS looks 640 pixels far: tiles with 1280 pixels in common leave nothing; with 64, much."""
    torch.manual_seed(0)
    model = INSS(bands=4, materials=3, width=2, order=2)
    for part in model.modules():  # a network that has seen images, and shows what it looks at
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
    model.library.copy_(torch.rand(4, 3))
    rgb = torch.rand(3, 64, 2048)
    whole = model.reconstruct(rgb)
    exact = model.reconstruct(rgb, tile=1408, overlap=2 * model.reach)
    near = model.reconstruct(rgb, tile=128, overlap=64)
    torch.testing.assert_close(exact.image, whole.image, rtol=0, atol=1e-4)
    torch.testing.assert_close(exact.abundances, whole.abundances, rtol=0, atol=1e-4)
    assert float((near.image - whole.image).abs().max()) > 1e-2


# Files


@pytest.mark.parametrize("name", ["made.nc", "made.hdr"])
def test_what_is_written_reads_back_on_its_map(tmp_path, name):
    """Spectra, wavelengths, abundances and the place of a GeoTIFF, as NetCDF and as ENVI."""
    values = np.random.default_rng(0).integers(0, 255, (3, 20, 30), dtype=np.uint8)
    picture = open_image(geotiff(tmp_path / "own.tif", values))
    made = Recovered(torch.rand(4, 20, 30), torch.rand(2, 20, 30).softmax(dim=0))
    cube = recovered_cube(made.image, NM, picture, units="counts", made_by="a test")
    files = write_recovered(cube, made, ["Grass, dry", "Brick"], tmp_path / name)
    assert all(file.is_file() for file in files)
    key = {"key": "cube"} if name.endswith(".nc") else {}
    again = open_scene(tmp_path / name, **key)
    np.testing.assert_array_equal(again.values, cube.values)
    np.testing.assert_allclose(again.wavelength.values, NM)
    assert again.x.values[[0, -1]].tolist() == [500_001, 500_059]
    assert again.y.values[[0, -1]].tolist() == [3_999_999, 3_999_961]
    assert "32615" in again.attrs["crs"]
    if name.endswith(".nc"):
        with xr.open_dataset(tmp_path / name, engine="h5netcdf") as stored:
            found = stored.abundances.values
            assert stored.title.values.tolist() == ["Grass, dry", "Brick"]
    else:
        found = open_scene(tmp_path / "made-abundances.hdr").values
    np.testing.assert_array_equal(found, made.abundances.permute(1, 2, 0).numpy())
    with pytest.raises(ParameterError, match="is there already"):
        check_recovered_output(str(tmp_path / name))


# Bad input


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (np.zeros((1, 9, 9), np.uint8), FormatError, "grey"),
        (np.full((3, 9, 9), 4000, np.uint16), ParameterError, "full scale"),
        (np.full((3, 9, 9), np.nan, np.float32), PixelError, "81 of 81 pixels"),
        (np.zeros((5, 9, 9), np.uint8), ParameterError, "which are red, green and blue"),
    ],
    ids=["grey", "12-bit", "nan", "five-bands"],
)
def test_bad_images_are_refused_with_a_reason(tmp_path, values, error, text):
    """As they are opened, which is before any training."""
    with pytest.raises(error, match=text):
        open_image(geotiff(tmp_path / "bad.tif", values))


def test_bands_are_three_numbers():
    """Empty is the first three; words are an error that shows how to write it."""
    assert band_numbers("") is None
    assert band_numbers(" 4, 3,2") == (4, 3, 2)
    with pytest.raises(ParameterError, match="no numbers of bands"):
        band_numbers("red,green,blue")
