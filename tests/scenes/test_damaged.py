"""Damaged files of every format: each opens, or says in the project's own words why not."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import scipy.io
import xarray as xr

from hsirepro.errors import HsireproError
from hsirepro.scenes import open_scene

from .formats import PLANTED, SPOT, planted_cube, write_envi
from .test_readers import WRITERS

LENGTHS = (0, 1, 3, 4, 10, 100, 124, 127, 128, 140, 200, 500, 1000)
HEAD = 600  # bytes at the front that are altered: headers and tables of contents


def write_classic(path, cube):
    data = xr.DataArray(cube, dims=("y", "x", "band"), name="cube")
    data.to_dataset().to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def write_header(path, cube):
    pytest.importorskip("spectral")
    fields = {"map_info": "{UTM, 1, 1, 5e5, 5e6, 4, 4, 33}", "reflectance_scale_factor": 10}
    write_envi(path.parent, cube=cube, name=path.stem, **fields)


FILES = {**WRITERS, "classic.nc": write_classic, "cube.hdr": write_header}


def opens_or_says_why(path):
    text = path.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries warn of what they then fail on
        try:
            open_scene(path)
        except HsireproError as problem:
            text = str(problem)
    assert path.stem in text


@pytest.mark.parametrize("name", FILES)
def test_files_cut_short(tmp_path, name):
    """A file that ends anywhere opens, or raises an error of this project that names it."""
    path = tmp_path / name
    FILES[name](path, planted_cube())
    content = path.read_bytes()
    for number, length in enumerate((*LENGTHS, len(content) - 100, len(content) - 1)):
        # A new name each time: a library may remember what it has seen under the old one.
        part = path.with_stem(f"{path.stem}{number}") if path.suffix != ".hdr" else path
        part.write_bytes(content[:length])
        opens_or_says_why(part)


@pytest.mark.parametrize("name", FILES)
def test_files_with_altered_bytes(tmp_path, name):
    """A file with a few wrong bytes at its front opens, or raises an error of this project."""
    path, dice = tmp_path / name, random.Random(0)
    FILES[name](path, planted_cube())
    content = path.read_bytes()
    head = min(HEAD, len(content))
    for number in range(40):
        altered = bytearray(content)
        for _ in range(3):
            altered[dice.randrange(head)] = dice.randrange(256)
        part = path.with_stem(f"{path.stem}{number}") if path.suffix != ".hdr" else path
        part.write_bytes(altered)
        opens_or_says_why(part)


def test_nested_matlab_variables_are_no_damage(tmp_path):
    """Structures, cells, texts and empty arrays beside the cube do not disturb it."""
    beside = {"a": [1, 2], "b": "text", "c": np.array([1, "a"], dtype=object)}
    arrays = {"s": beside, "cube": planted_cube(), "e": np.zeros((0, 3)), "t": np.bool_([1, 0])}
    for packed in (False, True):
        scipy.io.savemat(tmp_path / "x.mat", arrays, do_compression=packed)
        assert open_scene(tmp_path / "x.mat").values[SPOT] == PLANTED
