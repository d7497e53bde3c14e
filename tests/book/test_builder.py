"""The builder trusts nothing half done, says what failed, and repeats no finished work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

from hsirepro.book import Book, BookError, build_book, is_current, keys
from hsirepro.book.__main__ import main
from hsirepro.book.chapters import _publish, find_problem, pending
from hsirepro.book.pairs import write_pairs

pytestmark = pytest.mark.xdist_group("book")

SPEAK = "import os, sys\nprint(sys.executable, os.environ.get('HSIREPRO_DATA'))"
CHAPTERS = {"good": SPEAK, "raises": "1 / 0", "dies": "import os\nos._exit(3)"}


def chapter(root: Path, name: str, code: str) -> None:
    """Write one chapter: a heading, a cell of code, and a cell after it."""
    script = root / "notebooks" / "paper" / f"{name}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"# %% [markdown]\n# # {name}\n\n# %%\n{code}\n\n# %%\n2 + 2\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a small book whose chapters need nothing but Python."""
    pages = "\n".join(f"  - file: notebooks/paper/{name}" for name in CHAPTERS)
    (tmp_path / "_toc.yml").write_text(f"format: jb-book\nroot: book/first\nchapters:\n{pages}\n")
    (tmp_path / "_config.yml").write_text("title: small\nonly_build_toc_files: true\n")
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "first.md").write_text("# First\n")
    for name, code in CHAPTERS.items():
        chapter(tmp_path, name, code)
    write_pairs(tmp_path)
    return tmp_path


def printed(book: Book, name: str) -> str:
    """Return what the first code cell of a chapter's executed copy printed."""
    copy = nbformat.read(book.executed(f"notebooks/paper/{name}"), as_version=4)
    return str(next(c for c in copy.cells if c.cell_type == "code").outputs[0].text)


def test_failed_chapters_are_named_and_finished_ones_kept(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One chapter that raises and one whose kernel dies spoil neither the third nor the next try.

    After a dead kernel papermill marks every cell as completed; the builder must not believe it.
    """
    monkeypatch.setenv("HSIREPRO_DATA", "/nowhere")
    book = Book(root, root / "_build")
    with pytest.raises(BookError, match=r"2 of 3 chapters failed"):
        build_book(root)
    said = capsys.readouterr().out
    assert "'notebooks/paper/raises' failed: code cell 1 ('1 / 0') raised ZeroDivisionError" in said
    assert "'notebooks/paper/dies' failed: code cell 1 ('import os') did not finish" in said
    assert str(book.executed("notebooks/paper/raises").with_suffix(".ipynb.partial")) in said
    assert printed(book, "good").split() == [sys.executable, "None"]
    assert not (book.out / "html").exists()

    for name in ("raises", "dies"):
        chapter(root, name, "print('mended')")
    write_pairs(root)
    page = build_book(root)
    said = capsys.readouterr().out
    assert "good: unchanged" in said
    assert page.is_file()
    assert is_current(book)
    assert "mended" in (book.out / "html" / "notebooks" / "paper" / "dies.html").read_text()

    build_book(root)
    assert capsys.readouterr().out.count("unchanged") == 4  # three chapters and the pages
    _defective_page_is_refused_each_time(root, book)


def _defective_page_is_refused_each_time(root: Path, book: Book) -> None:
    """Sphinx shows a warning only when it reads the page; a second build must still see it."""
    (root / "book" / "first.md").write_text("# First\n\n[](gone.md)\n")
    for _ in range(2):
        with pytest.raises(BookError, match=r"gone\.md"):
            build_book(root)
        assert (book.out / "html" / "index.html").is_file(), "the old book stays readable"
        assert not is_current(book)


def test_key_follows_everything_that_can_change_a_chapter(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell, a record, a line of the package or a version makes the chapter run again."""
    package = root / "package"
    package.mkdir()
    monkeypatch.setattr(keys, "PACKAGE", package)
    book, name = Book(root, root / "_build"), "notebooks/paper/good"
    seen = [keys.chapter_key(book, name)]
    assert keys.chapter_key(book, name) == seen[0]

    (package / "bands.csv").write_text("31")
    seen.append(keys.chapter_key(book, name))
    record = root / "results" / "paper" / "table" / "cell.h5"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"31.2")
    seen.append(keys.chapter_key(book, name))
    record.write_bytes(b"31.3")
    seen.append(keys.chapter_key(book, name))
    chapter(root, "good", "3 + 3")
    write_pairs(root)
    seen.append(keys.chapter_key(book, name))
    monkeypatch.setattr(keys, "environment", lambda: b"torch==99")
    seen.append(keys.chapter_key(book, name))
    assert len(set(seen)) == len(seen)

    (root / "results" / "another-paper").mkdir()
    (root / "results" / "another-paper" / "cell.h5").write_bytes(b"")
    (package / "notes.md").write_text("not read by any chapter")
    assert keys.chapter_key(book, name) == seen[-1]


def test_altered_copy_is_not_trusted(root: Path) -> None:
    """An executed copy that is not the one its description names counts as missing."""
    book, name = Book(root, root / "_build"), "notebooks/paper/good"
    target = book.executed(name)
    target.parent.mkdir(parents=True)
    partial = target.with_suffix(".ipynb.partial")
    partial.write_text("{}")
    _publish(partial, target, {"key": keys.chapter_key(book, name), "seconds": 1.0})
    assert name not in pending(book)
    target.write_text("{ }")
    assert name in pending(book)


def test_copy_without_all_cells_is_refused(root: Path) -> None:
    """A copy of other cells, a torn copy and a missing copy are each told apart."""
    source = root / "notebooks" / "paper" / "good.ipynb"
    notebook = json.loads(source.read_text())
    copy = root / "copy.ipynb"
    assert "cannot be read" in str(find_problem(source, copy))
    copy.write_text(json.dumps(notebook)[:-40])
    assert "cannot be read" in str(find_problem(source, copy))
    copy.write_text(json.dumps({**notebook, "cells": notebook["cells"][:-1]}))
    assert "does not hold the chapter's cells" in str(find_problem(source, copy))
    copy.write_text(json.dumps(notebook))
    assert "did not finish" in str(find_problem(source, copy))


def test_two_builds_do_not_mix(root: Path) -> None:
    """A second build into the same folder stops and says why."""
    (root / "_build").mkdir()
    with (
        FileLock(root / "_build" / ".lock"),
        pytest.raises(BookError, match="Another build is at work"),
    ):
        build_book(root)


def test_folder_without_a_book_is_named(tmp_path: Path) -> None:
    """Outside a clone there is nothing to build, and nothing is written."""
    with pytest.raises(BookError, match=r"There is no book in .*\n.*_toc.yml"):
        build_book(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_chapter_without_notebook_is_named(root: Path) -> None:
    """A page of the contents that does not exist ends the build with the command that makes it."""
    (root / "notebooks" / "paper" / "good.ipynb").unlink()
    with pytest.raises(BookError, match=r"'notebooks/paper/good'.*\n(.*\n)*.*make notebooks"):
        build_book(root)


def test_command_reports_failure(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command's exit status tells make that there is no book."""
    monkeypatch.setattr("hsirepro.book.ROOT", root)
    (root / "_toc.yml").unlink()
    assert main(["--out", str(root / "elsewhere")]) == 1
    assert "There is no book" in capsys.readouterr().err
