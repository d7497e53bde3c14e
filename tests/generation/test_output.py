"""Generated tiles in files: what is written is what is read, and nothing is overwritten."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from hsirepro.errors import ParameterError
from hsirepro.generation import Samples
from hsirepro.generation.output import check_tiles_output, laid_out, tiles_dataset, write_tiles
from hsirepro.scenes import open_scene
from hsirepro.scenes.cube import make_cube

BANDS, ENDMEMBERS, COUNT, SIDE = 7, 3, 5, 4


@pytest.fixture
def drawn():
    """Return tiles with abundances as labelled arrays, in counts."""
    torch.manual_seed(0)
    A = torch.rand(BANDS, ENDMEMBERS)
    shares = torch.rand(COUNT, ENDMEMBERS, SIDE, SIDE)
    shares = shares / shares.sum(dim=1, keepdim=True)
    tiles = torch.einsum("lp,nphw->nlhw", A, shares)
    cube = make_cube(
        np.zeros((6, 9, BANDS)), np.linspace(450, 900, BANDS), units="counts", gsd_m=2.0
    )
    return tiles_dataset(
        Samples(tiles, shares), cube, units="counts", scale=2000.0, endmembers=A, method="HUD"
    )


def test_tiles_are_mixtures_in_the_units_of_the_scene(drawn):
    """Tiles, abundances and endmembers belong together, and the scale is on both spectra."""
    assert drawn.tiles.dims == ("tile", "y", "x", "wavelength")
    assert drawn.tiles.attrs["units"] == "counts"
    assert float(drawn.tiles.max()) > 1.0
    again = xr.dot(drawn.abundances, drawn.endmembers, dim="endmember")
    np.testing.assert_allclose(again, drawn.tiles, rtol=1e-5)
    np.testing.assert_allclose(drawn.wavelength, np.linspace(450, 900, BANDS))


def test_netcdf_comes_back(drawn, tmp_path):
    """One file holds everything."""
    path = check_tiles_output(str(tmp_path / "drawn.nc"))
    assert write_tiles(drawn, path) == [path]
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        xr.testing.assert_equal(stored.load(), drawn)
        assert stored.attrs["method"] == "HUD"
    assert [file.name for file in tmp_path.iterdir()] == ["drawn.nc"]


def test_envi_comes_back(drawn, tmp_path):
    """The tiles lie row by row in a square that open_scene reads; the abundances in another."""
    path = check_tiles_output(str(tmp_path / "drawn.hdr"))
    files = write_tiles(drawn, path)
    assert sorted(file.name for file in files) == sorted(f.name for f in tmp_path.iterdir())
    tiles = open_scene(str(path))
    assert tiles.shape == (2 * SIDE, 3 * SIDE, BANDS)
    np.testing.assert_allclose(tiles.wavelength, drawn.wavelength)
    np.testing.assert_allclose(tiles.values[:SIDE, SIDE : 2 * SIDE], drawn.tiles[1])
    np.testing.assert_allclose(tiles.values[SIDE:, :SIDE], drawn.tiles[3])
    shares = open_scene(str(tmp_path / "drawn-abundances.hdr"))
    np.testing.assert_allclose(shares.values[SIDE:, :SIDE], drawn.abundances[3])
    text = (tmp_path / "drawn-abundances.hdr").read_text()
    assert "endmember 3" in text


def test_tiles_without_abundances_are_written_too(drawn, tmp_path):
    """A method that has none leaves their file out."""
    files = write_tiles(drawn[["tiles"]], tmp_path / "drawn.hdr")
    assert {file.name for file in files} == {"drawn.hdr", "drawn.img"}


@pytest.mark.parametrize("there", ["drawn.hdr", "drawn.img", "drawn-abundances.img"])
def test_no_file_is_overwritten(drawn, tmp_path, there):
    """Whichever of the four is there, it is found before work, and stays as it is."""
    (tmp_path / there).write_bytes(b"mine")
    with pytest.raises(ParameterError, match=r"is there already, and is not overwritten"):
        check_tiles_output(str(tmp_path / "drawn.hdr"))
    with pytest.raises(ParameterError, match="is there already"):
        write_tiles(drawn, tmp_path / "drawn.hdr")
    assert (tmp_path / there).read_bytes() == b"mine"


def test_other_names_are_refused(tmp_path):
    """Only NetCDF and ENVI are written; no name writes nothing."""
    assert check_tiles_output("") is None
    with pytest.raises(ParameterError, match=r"is no name of a NetCDF or an ENVI file") as caught:
        check_tiles_output(str(tmp_path / "drawn.tif"))
    assert "let it end in .nc or .hdr" in str(caught.value)


def test_a_square_holds_every_tile_once():
    """Tiles are laid out row by row, and what is left over is 0."""
    tiles = np.arange(1.0, 6.0)[:, None, None, None] * np.ones((5, 2, 3, 1))
    square = laid_out(tiles)
    assert square.shape == (4, 9, 1)
    np.testing.assert_array_equal(square[::2, ::3, 0], [[1, 2, 3], [4, 5, 0]])
