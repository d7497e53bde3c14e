"""A chapter is a script and the notebook made from it; both must say the same."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import jupytext
import pytest
from jupytext.compare import NotebookDifference, compare_notebooks

from hsirepro.book import ROOT, Book
from hsirepro.book.pairs import notebook_of, write_pairs
from hsirepro.errors import ParameterError

CHAPTERS = Book(ROOT, ROOT / "_build").chapters()


def cells(chapter: str) -> list[dict[str, Any]]:
    """Return the cells as they stand in the .ipynb, sources joined."""
    notebook = json.loads((ROOT / f"{chapter}.ipynb").read_text("utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]


def parameters(chapter: str) -> str:
    """Return the source of the chapter's one parameters cell."""
    (found,) = [c for c in cells(chapter) if "parameters" in c["metadata"].get("tags", [])]
    return str(found["source"])


def test_every_notebook_is_a_chapter() -> None:
    """A notebook that the table of contents forgets is neither run nor read."""
    on_disk = {p.with_suffix("") for p in (ROOT / "notebooks").rglob("*.py")}
    on_disk |= {
        p.with_suffix("")
        for p in (ROOT / "notebooks").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert {path.relative_to(ROOT).as_posix() for path in on_disk} == set(CHAPTERS)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_script_and_notebook_are_the_same_chapter(chapter: str) -> None:
    """Cell for cell, the .ipynb is what `make notebooks` writes from the .py."""
    script, notebook = ROOT / f"{chapter}.py", ROOT / f"{chapter}.ipynb"
    made = jupytext.reads(notebook_of(script), fmt="ipynb")
    compare_notebooks(jupytext.read(notebook), made, fmt="ipynb")
    assert notebook.read_text("utf-8") == notebook_of(script), "run: make notebooks"


def test_the_comparison_sees_one_character(tmp_path: Path) -> None:
    """A pair that differs by one character is not a pair, and writing it mends it."""
    script = tmp_path / "notebooks" / "paper" / "chapter.py"
    script.parent.mkdir(parents=True)
    script.write_text("# %%\nbands = 31\n")
    assert write_pairs(tmp_path) == [script.with_suffix(".ipynb")]
    assert write_pairs(tmp_path) == []
    before = jupytext.read(script.with_suffix(".ipynb"))
    script.write_text("# %%\nbands = 32\n")
    with pytest.raises(NotebookDifference):
        compare_notebooks(before, jupytext.reads(notebook_of(script), fmt="ipynb"), fmt="ipynb")
    assert write_pairs(tmp_path) == [script.with_suffix(".ipynb")]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebook_carries_no_run(chapter: str) -> None:
    """A committed notebook has no outputs, counts, timings or editor state."""
    for cell in cells(chapter):
        assert set(cell["metadata"]) <= {"tags", "mystnb"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    names = [cell["id"] for cell in cells(chapter)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_parameter_is_explained(chapter: str) -> None:
    """Each line of the parameters cell ends in a comment; `--help-notebook` shows it."""
    lines = [line for line in parameters(chapter).splitlines() if line.strip()]
    assert lines
    for line in lines:
        tokens = tokenize.generate_tokens(io.StringIO(line).readline)
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
        assert comments, f"no comment: {line}"
        assert len(comments[0].split()) > 1, f"no words in the comment: {line}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_defaults_need_no_data(chapter: str) -> None:
    """As it stands a chapter runs in seconds on the planted scene, or only reads records."""
    values: dict[str, Any] = {}
    exec(parameters(chapter), values)
    if "results" in values:
        assert values["results"] == ""
        return
    assert values.get("scene", values.get("hsi")) == "planted"
    assert values.get("profile", "smoke") == "smoke"  # a chapter that trains nothing has none


def misspelt(chapter: str) -> tuple[str, str]:
    """Return a parameter that the chapter has, and one that it has not."""
    return ("seed", "sede") if "seed =" in parameters(chapter) else ("results", "resluts")


def run_with(chapter: str, name: str) -> None:
    """Run the cells of a chapter with a parameter more, up to the check of its parameters."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for cell in jupytext.read(ROOT / f"{chapter}.py").cells:
        if cell.cell_type == "code" and "p" not in space:  # what chapters call what was checked
            exec(compile(cell.source, chapter, "exec"), space)
        if "parameters" in cell.metadata.get("tags", []):
            space[name] = 1  # as the cell does that papermill puts in


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_misspelt_parameter_is_refused(chapter: str) -> None:
    """Papermill only warns of an unknown parameter; the chapter itself must stop and suggest."""
    right, wrong = misspelt(chapter)
    with pytest.raises(ParameterError, match=f"'{wrong}'") as stopped:
        run_with(chapter, wrong)
    assert f"did you mean '{right}'" in str(stopped.value)


def test_papermill_stops_there(tmp_path: Path) -> None:
    """What one chapter says of a misspelt parameter reaches whoever called papermill."""
    chapter = "notebooks/hyconet/verdict"
    right, wrong = misspelt(chapter)
    source, copy = ROOT / f"{chapter}.ipynb", tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(source), str(copy), "-p", wrong, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ParameterError" in done.stderr
    assert f"did you mean '{right}'" in done.stderr
