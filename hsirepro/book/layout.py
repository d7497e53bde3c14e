"""Where a book is read from and where it is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsirepro.errors import HsireproError


class BookError(HsireproError):
    """The book, or one of its chapters, could not be built."""


@dataclass(frozen=True)
class Book:
    """Where a book is read from and built to.

    Parameters
    ----------
    root : Path
        Checkout that holds ``_toc.yml``.
    out : Path
        Folder for everything that is built; the site ends in ``out/html``.
    """

    root: Path
    out: Path

    def chapters(self) -> list[str]:
        """Return the executable pages of the table of contents, in order, without suffix."""
        return [page for page in self.pages() if page.startswith("notebooks/")]

    def pages(self) -> list[str]:
        """Return every page of the table of contents, in order, without suffix.

        Raises
        ------
        BookError
            If ``root`` holds no ``_toc.yml``.
        """
        import yaml

        toc = self.root / "_toc.yml"
        if not toc.is_file():
            raise BookError(
                f"There is no book in '{self.root}'.",
                looked_in=str(toc),
                next_step="run from a clone of the repository; an installed wheel has no chapters",
            )
        return list(_toc_files(yaml.safe_load(toc.read_text("utf-8"))))

    def executed(self, chapter: str) -> Path:
        """Return the place of a chapter's executed copy."""
        return self.out / "executed" / f"{chapter}.ipynb"


def _toc_files(node: Any) -> Iterator[str]:
    """Walk the table of contents in reading order."""
    if isinstance(node, list):
        for item in node:
            yield from _toc_files(item)
    elif isinstance(node, dict):
        for key in ("root", "file"):
            if key in node:
                yield str(node[key])
        for key in ("parts", "chapters", "sections"):
            yield from _toc_files(node.get(key, []))
