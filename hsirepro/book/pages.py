"""Stage the executed chapters with the prose and render them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hsirepro.book.chapters import pending
from hsirepro.book.keys import digest, environment
from hsirepro.book.layout import Book, BookError


def staged(book: Book) -> dict[str, bytes]:
    """Return the files to render: prose, executed chapters, and the settings without execution."""
    import yaml

    config = yaml.safe_load((book.root / "_config.yml").read_text("utf-8"))
    config["execute"] = {"execute_notebooks": "off"}
    own = [book.root / "_toc.yml", book.root / "constraints.txt"]
    own += sorted(p for p in (book.root / "book").rglob("*") if p.is_file())
    files = {str(p.relative_to(book.root)): p.read_bytes() for p in own}
    files["_config.yml"] = yaml.safe_dump(config, sort_keys=False).encode()
    for chapter in book.chapters():
        files[f"{chapter}.ipynb"] = book.executed(chapter).read_bytes()
    return files


def render_key(files: dict[str, bytes]) -> str:
    """Return the hash of all that can change the rendered site."""
    return digest([("environment", environment()), *sorted(files.items())])


def is_current(book: Book) -> bool:
    """Return whether ``out/html`` is the book that these sources make."""
    if pending(book) or not (book.out / "html" / "index.html").is_file():
        return False
    key = book.out / "html.key"
    return key.is_file() and key.read_text("utf-8") == render_key(staged(book))


def render(book: Book) -> None:
    """Render the staged pages with jupyter-book; any warning is an error.

    Pages are read anew each time: sphinx shows a warning only when it reads the page, so a build
    over old doctrees would pass with the same defect.

    Raises
    ------
    BookError
        With the warnings.
    """
    files = staged(book)
    source, fresh = book.out / "source", book.out / "render"
    for folder in (source, fresh):
        shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    program = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(source), "--path-output", str(fresh), "-W", "--keep-going"]
    done = subprocess.run(
        [sys.executable, "-c", program, *options],
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    log = book.out / "render.log"
    log.write_text(done.stdout, "utf-8")
    site = fresh / "_build" / "html"
    reports = sorted(str(p) for p in site.glob("reports/**/*.err.log"))
    if done.returncode != 0 or reports or not (site / "index.html").is_file():
        complaints = [ln for ln in done.stdout.splitlines() if "WARNING" in ln or "ERROR" in ln]
        shown = complaints or reports or done.stdout.splitlines()[-5:]
        raise BookError("The pages do not render:\n  " + "\n  ".join(shown), log=str(log))
    _swap(site, book.out / "html", render_key(files))
    shutil.rmtree(fresh)


def _swap(site: Path, target: Path, key: str) -> None:
    """Put a rendered site in the place of the old one; its key is written last."""
    record, old = target.with_suffix(".key"), target.with_suffix(".old")
    record.unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    site.rename(target)
    record.write_text(key, "utf-8")
    shutil.rmtree(old, ignore_errors=True)
