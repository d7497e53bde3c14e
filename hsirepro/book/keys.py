"""Hashes that decide what is built again."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from hsirepro.book.layout import Book, BookError

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGE_SUFFIXES = {".py", ".toml", ".csv", ".txt"}
"""Files of the package that a chapter's result can depend on."""


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """Hash named pieces so that no piece can run into the next.

    Examples
    --------
    >>> digest([("a", b"bc")]) == digest([("ab", b"c")])
    False
    """
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{len(name.encode())}:{name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()


def environment() -> bytes:
    """Return the interpreter and every installed distribution with its version, sorted."""
    found = {f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions()}
    return "\n".join([sys.version, *sorted(found)]).encode()


def chapter_key(book: Book, chapter: str) -> str:
    """Return the hash of all that can change what a chapter prints.

    Parameters
    ----------
    book : Book
    chapter : str
        Page name, such as ``"notebooks/hyconet/tables"``.

    Raises
    ------
    BookError
        If the chapter's ``.ipynb`` does not exist.
    """
    source = book.root / f"{chapter}.ipynb"
    if not source.is_file():
        raise BookError(
            f"Chapter '{chapter}' of _toc.yml has no notebook.",
            looked_in=str(source),
            next_step="make notebooks   (writes each .ipynb from its .py)",
        )
    cells = json.loads(source.read_text("utf-8"))["cells"]
    seen = [(c["cell_type"], "".join(c["source"]), c["metadata"]) for c in cells]
    told = [("cells", json.dumps(seen, sort_keys=True).encode()), ("environment", environment())]
    code = (p for p in PACKAGE.rglob("*") if p.suffix in PACKAGE_SUFFIXES)
    paper = Path(chapter).parent.name
    records = (book.root / "results" / paper).rglob("*.h5")
    return digest([*told, *_files(code, PACKAGE), *_files(records, book.root)])


def _files(paths: Iterable[Path], top: Path) -> Iterator[tuple[str, bytes]]:
    """Name each file by its place under ``top``, in a fixed order."""
    for path in sorted(paths):
        yield path.relative_to(top).as_posix(), path.read_bytes()
