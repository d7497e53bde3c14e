"""Checkpoints that are whole or absent.

A checkpoint is written to a temporary name, flushed, read back and then renamed over the old
one, whose predecessor stays beside it as ``NAME.previous``. It holds tensors, numbers and strings
only, so that it loads with ``weights_only=True`` and runs nobody's code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hsirepro.errors import RecordError


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write ``state`` to ``path`` such that a kill at any moment leaves a whole file.

    Parameters
    ----------
    state : dict
        Tensors, numbers, strings and containers of them.
    path : Path
        Its folder is created.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    # In memory first: on a full disk torch.save says nothing of the disk, a plain write does.
    content = io.BytesIO()
    torch.save(state, content)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        _read(partial)
        if path.exists():
            os.replace(path, _previous(path))
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise RecordError(
            f"The checkpoint {path} cannot be written: {error.strerror or error}.",
            next_step="choose a folder that you may write to and that has room",
        ) from error


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Return the newest whole checkpoint at ``path``, or None where there is none.

    Parameters
    ----------
    path : Path
        As given to :func:`save_checkpoint`.
    fingerprint : str
        What the run is (settings and data). A checkpoint of another run is refused.

    Raises
    ------
    RecordError
        If the checkpoint belongs to another run, or holds anything but plain data.

    Warns
    -----
    UserWarning
        If a torn or altered checkpoint was passed over.
    """
    for candidate in (path, _previous(path)):
        if not candidate.exists():
            continue
        try:
            state = _read(candidate)
        except pickle.UnpicklingError as error:
            raise RecordError(
                f"The checkpoint {candidate} holds more than tensors, numbers and strings, and "
                "was not loaded: it could run code.",
                next_step="delete it, unless you know where it comes from",
            ) from error
        except (OSError, RuntimeError, ValueError, zipfile.BadZipFile, EOFError) as error:
            warnings.warn(
                f"Checkpoint {candidate} is damaged ({error}); trying an older one.", stacklevel=2
            )
            continue
        if state.get("fingerprint") != fingerprint:
            raise RecordError(
                f"The checkpoint {candidate} belongs to another run (other settings or data).",
                next_step="delete it, or name another checkpoint file",
            )
        return state
    return None


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _read(path: Path) -> dict[str, Any]:
    # torch.load does not look at the checksums that its zip format carries.
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise zipfile.BadZipFile(f"wrong checksum in {broken}")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def fingerprint_of(settings: Mapping[str, object], seed: int, *given: torch.Tensor) -> str:
    """Return a digest of all that a run follows from: resuming another run is refused by it.

    Parameters
    ----------
    settings : mapping of str to object
        What JSON can hold.
    seed : int
    *given : Tensor
        The images, and whatever else is learned from.
    """
    digest = hashlib.sha256(json.dumps([settings, seed], sort_keys=True).encode())
    for tensor in given:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
