"""A record as the bytes of an HDF5 file, and back.

The file starts with an HDF5 user block, which HDF5 itself ignores: it holds the SHA-256 of all
bytes after it. A reader hashes the file before the HDF5 library sees any of it, so a torn or
altered file is told apart whichever byte is wrong. Behind the block lies plain HDF5, which any
tool opens: the key, settings and provenance as attributes of the root, metrics as attributes of
the group ``metrics``, and the arrays as datasets of the groups ``curves``, ``arrays`` and
``images``.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hsirepro.errors import HsireproError, RecordError
from hsirepro.records.record import Array, Record, RecordKey, canonical_json

BLOCK = 512
FORMAT = "hsirepro record 1"
LIMIT_MB = {"numbers": 1.0, "pictures": 4.0}
"""Largest record without and with pictures, MB (10^6 bytes): ``results/`` is kept in git."""

_NAMES = [name for name in RecordKey.__dataclass_fields__ if name != "seed"]


def to_bytes(record: Record) -> bytes:
    """Write a record as the bytes of its file.

    Parameters
    ----------
    record : Record

    Returns
    -------
    bytes

    Raises
    ------
    RecordError
        If it is larger than a record may be.
    """
    buffer = io.BytesIO()
    # Format 1.8 puts attributes above 64 kB (long settings) where they fit.
    with h5py.File(buffer, "w", userblock_size=BLOCK, libver=("v108", "v110")) as file:
        file.attrs["format"] = FORMAT
        for name, value in vars(record.key).items():
            file.attrs[name] = value
        file.attrs["settings"] = canonical_json(record.settings)
        file.attrs["provenance"] = canonical_json(record.provenance)
        metrics = file.create_group("metrics")
        for name, number in record.metrics.items():
            metrics.attrs[name] = np.float64(number)
        _put(file.create_group("curves"), record.curves)
        _put(file.create_group("arrays"), record.arrays)
        _put(file.create_group("images"), record.images, compression="gzip", shuffle=True)
    body = buffer.getvalue()[BLOCK:]
    limit = LIMIT_MB["pictures" if record.images else "numbers"]
    if BLOCK + len(body) > limit * 1e6:
        raise RecordError(
            f"This record takes {(BLOCK + len(body)) / 1e6:.1f} MB; the limit is {limit:g} MB.",
            record=str(record.key),
            next_step="thin out its curves, or crop its pictures",
        )
    return _block(body) + body


def from_bytes(content: bytes, path: Path) -> Record:
    """Read a record from the bytes of its file.

    Parameters
    ----------
    content : bytes
    path : Path
        Named in errors.

    Returns
    -------
    Record

    Raises
    ------
    RecordError
        If the bytes are not the whole, unaltered file of a record.
    """
    body = content[BLOCK:]
    if len(content) > LIMIT_MB["pictures"] * 1e6:
        raise broken(path, f"it has {len(content) / 1e6:.1f} MB, more than a record may")
    if not body or content[:BLOCK] != _block(body):
        raise broken(path, "its SHA-256 is not the one written in it")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _record(file)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, HsireproError) as error:
        raise broken(path, str(error).splitlines()[0]) from error


def broken(path: Path, why: str) -> RecordError:
    """Return the error for a file that is no record to trust."""
    return RecordError(
        f"The record {path.name} is torn or altered: {why}.",
        file=str(path),
        next_step="delete the file and make it again with: hsirepro run",
    )


def _block(body: bytes) -> bytes:
    told = f"{FORMAT}\nsha256 of all bytes from {BLOCK}: {hashlib.sha256(body).hexdigest()}\n"
    return told.encode().ljust(BLOCK, b"\0")


def _put(group: h5py.Group, arrays: Mapping[str, Array], **options: Any) -> None:
    for name, array in arrays.items():
        group.create_dataset(name, data=array, **(options if array.size else {}))


def _record(file: h5py.File) -> Record:
    if file.attrs["format"] != FORMAT:
        raise ValueError(f"its format is {file.attrs['format']!r}, not {FORMAT!r}")
    return Record(
        key=RecordKey(**{n: str(file.attrs[n]) for n in _NAMES}, seed=int(file.attrs["seed"])),
        metrics={name: float(value) for name, value in file["metrics"].attrs.items()},
        curves=_take(file["curves"]),
        arrays=_take(file["arrays"]),
        images=_take(file["images"]),
        settings=json.loads(file.attrs["settings"]),
        provenance=json.loads(file.attrs["provenance"]),
    )


def _take(group: h5py.Group) -> dict[str, Array]:
    """Read the arrays of a group that truly lie in it.

    A file from outside may carry a right hash and still point elsewhere: to another file on this
    machine, or to an array that fills the memory.
    """
    arrays: dict[str, Array] = {}
    for name in group:
        dataset = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise ValueError(f"{name!r} does not lie in the file")
        if dataset.dtype.kind not in "iufb" or dataset.nbytes > 64e6:
            raise ValueError(f"{name!r} is not a small numeric array")
        arrays[name] = np.asarray(dataset[()])
    return arrays
