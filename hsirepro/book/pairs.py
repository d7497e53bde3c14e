"""Write the notebooks that readers download from the scripts that authors edit."""

from __future__ import annotations

from pathlib import Path

from hsirepro.book.keys import digest

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def notebook_of(script: Path) -> str:
    """Return the text of the ``.ipynb`` that belongs to a py:percent script.

    There are no outputs, and cells are named after their text: the same script always gives the
    same bytes.
    """
    import jupytext

    notebook = jupytext.read(script)
    notebook.metadata = {"kernelspec": KERNEL}
    texts = [cell.source for cell in notebook.cells]
    for number, cell in enumerate(notebook.cells):
        repeated = texts[:number].count(cell.source)
        # How a formatter spaced the script is no business of the notebook.
        cell.metadata.pop("lines_to_next_cell", None)
        cell["id"] = digest([(str(repeated), cell.source.encode())])[:8]
    return str(jupytext.writes(notebook, fmt="ipynb")).rstrip("\n") + "\n"


def write_pairs(root: Path) -> list[Path]:
    """Write each chapter's ``.ipynb`` from its ``.py`` and return those that changed.

    Parameters
    ----------
    root : Path
        Checkout whose ``notebooks/<paper>/*.py`` are read.
    """
    changed = []
    for script in sorted(root.glob("notebooks/*/*.py")):
        target, text = script.with_suffix(".ipynb"), notebook_of(script)
        if not target.is_file() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")
            changed.append(target)
    return changed
