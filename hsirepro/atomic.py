"""Files that are whole or absent, whenever the process is killed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

PARTIAL = ".partial"
"""Ending of a file that is still being written, or that a killed process left behind."""


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` such that a reader sees the old file or the new one, never half.

    The bytes go to a temporary name in the same folder, which no other writer uses; they are
    flushed to the disk, read back, and renamed over ``path``. Of two writers the last one wins.

    Parameters
    ----------
    path : Path
        Its folder is created.
    content : bytes
        The whole file.

    Raises
    ------
    OSError
        If the folder cannot be written, or what was read back is not what was written. The
        temporary file is then removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")
    try:
        with open(partial, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if partial.read_bytes() != content:
            raise OSError(f"{partial} does not hold what was written to it")
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Flush the rename itself, where the system can (not on Windows or some network shares)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
