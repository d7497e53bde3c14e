"""Tiny files with the structure of real ones, made on the spot.

Every cube has a planted value: ``PLANTED`` at row 3, column 8, band 23 of 5 x 9 x 24. Three
different sizes, and a place that only one order of axes can reach, betray swapped axes.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np

SHAPE = (5, 9, 24)
SPOT = (3, 8, 23)
PLANTED = 1234


def planted_cube(dtype="int16"):
    """Return a cube of SHAPE whose values all differ, with PLANTED at SPOT."""
    cube = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)
    cube[SPOT] = np.array(PLANTED).astype(dtype)  # 8 bits hold only its low byte
    return cube


def wavelengths_nm():
    """Return 24 band centres in nm."""
    return np.linspace(400, 860, SHAPE[2])


ENVI_TYPES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12}
ORDERS = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


def write_envi(
    folder: Path,
    *,
    cube=None,
    name="cube",
    ext=".img",
    interleave="bsq",
    byte_order=0,
    packed=False,
    offset=0,
    **fields,
):
    """Write an ENVI pair and return the path of its header."""
    cube = planted_cube() if cube is None else cube
    data = cube.transpose(ORDERS[interleave]).astype(cube.dtype.newbyteorder("<>"[byte_order]))
    content = b"\0" * offset + data.tobytes()
    (folder / f"{name}{ext}{'.gz' if packed else ''}").write_bytes(
        gzip.compress(content) if packed else content
    )
    head = {
        "samples": cube.shape[1],
        "lines": cube.shape[0],
        "bands": cube.shape[2],
        "header offset": offset,
        "file type": "ENVI Standard",
        "data type": ENVI_TYPES[str(cube.dtype)],
        "interleave": interleave,
        "byte order": byte_order,
        **{key.replace("_", " "): value for key, value in fields.items()},
    }
    lines = [f"{k} = {v}" for k, v in head.items() if v is not None]
    header = folder / f"{name}.hdr"
    text = "\n".join(["ENVI", "description = {", "  a test cube }", *lines])
    header.write_text(f"{text}\n", "utf-8")
    return header


def braces(values):
    """Return a list as ENVI headers write it, over two lines."""
    text = [str(v) for v in values]
    return "{ " + ", ".join(text[:10]) + ",\n " + ", ".join(text[10:]) + "}"


def write_matlab73(path: Path, **arrays):
    """Write a MATLAB v7.3 file: user block of 512 bytes, class attributes, reversed axes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=np.asarray(array).T)
            kind = {"float64": "double", "float32": "single"}.get(
                str(array.dtype), str(array.dtype)
            )
            dataset.attrs["MATLAB_class"] = np.bytes_(kind)
        text = file.create_dataset(
            "made_by", data=np.frombuffer(b"test", np.uint8).reshape(4, 1, 1)
        )
        text.attrs["MATLAB_class"] = np.bytes_("char")
        file.create_group("#refs#").create_dataset("a", data=np.zeros((2, 2, 2)))
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    return path
