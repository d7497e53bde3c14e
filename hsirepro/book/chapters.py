"""Run the chapters whose key has changed, and check what came out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hsirepro.book.keys import chapter_key
from hsirepro.book.layout import Book, BookError

CELL_TIMEOUT_S = 600


def _sidecar(executed: Path) -> dict[str, Any]:
    """Return what is known of an executed copy; empty unless the copy is the one described."""
    try:
        known: dict[str, Any] = json.loads(executed.with_suffix(".json").read_text("utf-8"))
        intact = known["sha256"] == hashlib.sha256(executed.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError):
        return {}
    return known if intact else {}


def pending(book: Book) -> dict[str, str]:
    """Return the chapters that must run, each with the key it will be kept under."""
    keys = {chapter: chapter_key(book, chapter) for chapter in book.chapters()}
    return {c: k for c, k in keys.items() if _sidecar(book.executed(c)).get("key") != k}


def run_chapter(book: Book, chapter: str, key: str, threads: int) -> float:
    """Run one chapter into its executed copy and return the seconds it took.

    Parameters
    ----------
    book : Book
    chapter : str
    key : str
        Written beside the copy once it is complete.
    threads : int
        CPU threads that the chapter's numerical libraries may use.

    Raises
    ------
    BookError
        Names the cell, what it raised, and the unfinished notebook that shows it.
    """
    target = book.executed(chapter)
    partial = target.with_suffix(".ipynb.partial")
    log = target.with_suffix(".log")
    scratch = book.out / "records" / chapter
    shutil.rmtree(scratch, ignore_errors=True)  # made by code that may since have changed
    scratch.mkdir(parents=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    source = book.root / f"{chapter}.ipynb"
    options = ["--kernel", "python3", "--no-progress-bar", "--cwd", str(source.parent)]
    options += ["--execution-timeout", str(CELL_TIMEOUT_S)]
    command = [sys.executable, "-m", "papermill", str(source), str(partial), *options]
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            command,
            env=_chapter_environment(book, scratch, threads),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.monotonic() - start
    problem = find_problem(source, partial)
    if done.returncode != 0 or problem:
        raise BookError(
            f"Chapter '{chapter}' failed: {problem or 'papermill did not finish.'}",
            exit_code=str(done.returncode),
            notebook=str(partial),
            log=str(log),
        )
    _publish(partial, target, {"key": key, "seconds": round(seconds, 1)})
    return seconds


def _chapter_environment(book: Book, scratch: Path, threads: int) -> dict[str, str]:
    """Return the variables of a chapter's process: this interpreter, no personal settings."""
    # MPLBACKEND would switch off the figures of the notebook.
    drop = {"HSIREPRO_DATA", "HSIREPRO_RESULTS", "MPLBACKEND"}
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    width = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], threads)
    own = {
        "HSIREPRO_OFFLINE": "1",
        "HSIREPRO_SCRATCH": str(scratch),
        "IPYTHONDIR": str(book.out / "ipython"),
        "JUPYTER_PATH": str(book.out / "jupyter"),  # stands before every other kernel folder
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return {**kept, **own, **{name: str(value) for name, value in width.items()}}


def find_problem(source: Path, executed: Path) -> str | None:
    """Return what is wrong with an executed copy, in a sentence, or None.

    Parameters
    ----------
    source, executed : Path
        The chapter and what a run made of it.
    """
    try:
        # On an error papermill adds markdown of its own, never code: code cells stay in step.
        cells = _code_cells(executed)
    except (OSError, ValueError) as error:
        return f"its copy cannot be read ({error})."
    if [cell["source"] for cell in cells] != [cell["source"] for cell in _code_cells(source)]:
        return "its copy does not hold the chapter's cells."
    for number, cell in enumerate(cells, start=1):
        text = cell["source"].strip()
        shown = f"code cell {number} ('{text.split(chr(10))[0]}')"
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return f"{shown} raised {output['ename']}: {output['evalue']}"
        # A cell in which the kernel died has a count, but the kernel never answered for it.
        answered = "shell.execute_reply" in cell["metadata"].get("execution", {})
        if text and not (answered and cell["execution_count"]):
            return f"{shown} did not finish: the kernel died, or ran out of time or memory."
    return None


def _code_cells(notebook: Path) -> list[Any]:
    """Return the code cells of an ``.ipynb``, each with its source as one string."""
    import jupytext

    read = jupytext.reads(notebook.read_text("utf-8"), fmt="ipynb")
    return [cell for cell in read.cells if cell.cell_type == "code"]


def _publish(partial: Path, target: Path, facts: dict[str, Any]) -> None:
    """Rename a checked copy into place and describe it beside; a crash leaves it untrusted."""
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    content = partial.read_bytes()
    partial.replace(target)
    facts = {**facts, "sha256": hashlib.sha256(content).hexdigest()}
    target.with_suffix(".json").write_text(json.dumps(facts, indent=1), "utf-8")


def run_chapters(book: Book, jobs: int) -> None:
    """Run what has changed, ``jobs`` chapters at a time; one failure does not stop the others.

    Raises
    ------
    BookError
        After all have ended, if any failed. Finished chapters are kept.
    """
    from ipykernel.kernelspec import write_kernel_spec

    kernel = book.out / "jupyter" / "kernels" / "python3"
    shutil.rmtree(kernel, ignore_errors=True)
    kernel.parent.mkdir(parents=True, exist_ok=True)
    write_kernel_spec(kernel)  # names this very interpreter, whatever else is installed
    todo = pending(book)
    # The same number of threads whether one chapter runs or all: sums keep their last bits.
    threads = max(1, (os.cpu_count() or jobs) // jobs)
    failed: list[str] = []

    def run(chapter: str) -> None:
        try:
            seconds = run_chapter(book, chapter, todo[chapter], threads)
        except BookError as error:
            failed.append(chapter)
            print(str(error), flush=True)
        else:
            print(f"{chapter}: ran in {seconds:.1f} s", flush=True)

    for chapter in book.chapters():
        if chapter not in todo:
            took = _sidecar(book.executed(chapter))["seconds"]
            print(f"{chapter}: unchanged (ran in {took:.1f} s)", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, todo))
    if failed:
        raise BookError(
            f"{len(failed)} of {len(book.chapters())} chapters failed: {', '.join(failed)}.",
            next_step="mend the cell named above and build again; finished chapters are kept",
        )
