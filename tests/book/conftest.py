"""The built book, shared by the tests that read it."""

from __future__ import annotations

import pytest
from filelock import FileLock

from hsirepro.book import ROOT, Book, build_book, is_current


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Book:
    """Return the book of these very sources: the one in ``_build`` if current, or a new one."""
    made = Book(ROOT, ROOT / "_build")
    if is_current(made):
        return made
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with FileLock(shared / "book.lock"):  # one worker builds, the others wait for it
        build_book(ROOT, shared / "book")
    return Book(ROOT, shared / "book")
