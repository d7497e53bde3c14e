"""Build the book: run each chapter once, then render the executed copies.

A chapter is run by papermill under its defaults (``smoke`` profile, planted scene) into
``_build/executed``. The copy is kept with a key, the SHA-256 of everything that could change it:
the chapter's cells, the package, the records it reads, and the installed versions. While the key
is unchanged the chapter is not run again. jupyter-book then renders the executed copies with
execution switched off; the rendered site carries a key of its own.

Nothing half done is trusted. A chapter is written to ``*.partial``, checked cell by cell (after a
dead kernel papermill marks every cell as completed, so its own metadata is no evidence), and only
then renamed; the site is rendered beside the old one and swapped in when no warning was left.

A build does not see ``HSIREPRO_DATA``: the book comes out the same on every machine.
"""

from __future__ import annotations

import time
from pathlib import Path

from hsirepro.book.chapters import run_chapters
from hsirepro.book.layout import Book, BookError
from hsirepro.book.pages import is_current, render

__all__ = ["Book", "BookError", "build_book", "is_current"]

ROOT = Path(__file__).resolve().parents[2]
"""The checkout that this package is installed from."""


def build_book(root: Path | None = None, out: Path | None = None, *, jobs: int = 2) -> Path:
    """Build the book and return its first page.

    Parameters
    ----------
    root : Path, optional
        Checkout that holds ``_toc.yml``; by default the one this package is installed from.
    out : Path, optional
        By default ``root/_build``.
    jobs : int
        Chapters that run at a time.

    Raises
    ------
    BookError
        If a chapter fails, a page gives a warning, or another build is at work in ``out``.
    """
    from filelock import FileLock, Timeout

    top = (root or ROOT).resolve()
    book = Book(root=top, out=(out or top / "_build").resolve())
    book.pages()  # says so before anything is written, if there is no book
    book.out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(book.out / ".lock", timeout=0):
            run_chapters(book, jobs)
            start = time.monotonic()
            if is_current(book):
                print("pages: unchanged", flush=True)
            else:
                render(book)
                print(f"pages: rendered in {time.monotonic() - start:.1f} s", flush=True)
    except Timeout:
        raise BookError(
            f"Another build is at work in '{book.out}'.", next_step="wait for it to end"
        ) from None
    return book.out / "html" / "index.html"
