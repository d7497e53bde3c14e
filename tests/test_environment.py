"""The three descriptions of the environment must say the same."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]


def pins() -> dict[str, str]:
    """Return the version that constraints.txt pins for each package."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[^,*]+", str(pin.specifier)) for pin in parsed)
    names = [canonicalize_name(pin.name) for pin in parsed]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return {name: str(pin.specifier)[2:] for name, pin in zip(names, parsed, strict=True)}


@pytest.mark.parametrize("requirement", DECLARED, ids=lambda requirement: requirement.name)
def test_every_dependency_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    """What pyproject.toml asks for, constraints.txt pins to a version that satisfies it."""
    pinned = pins().get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} has no line in constraints.txt"
    assert requirement.specifier.contains(pinned, prereleases=True)


def test_jupyter_book_stays_on_the_line_that_reads_our_settings() -> None:
    """jupyter-book 2 ignores _config.yml and _toc.yml, so no description may allow it."""
    book = next(r for r in DECLARED if r.name == "jupyter-book")
    assert not book.specifier.contains("2.0.0")
    assert pins()["jupyter-book"].startswith("1.")


def test_environment_yml_installs_what_make_installs() -> None:
    """Conda users get the extras and the pins of `make`, and an interpreter that is allowed."""
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip = next(item["pip"] for item in wanted if isinstance(item, dict))
    python = next(item for item in wanted if isinstance(item, str) and item.startswith("python="))
    made = re.search(r"pip install .*-e '\.\[([a-z,]+)\]'", (ROOT / "Makefile").read_text("utf-8"))
    assert made is not None
    assert pip == ["-c constraints.txt", f"-e .[{made[1]}]"]
    assert set(made[1].split(",")) < set(PROJECT["optional-dependencies"])
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert python == f"python={lowest}"


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    """Make stops before it installs anything, and says which Python it found and wants."""
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1"\n[ "$1" != -c ]\n')
    old.chmod(0o755)
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = ["make", "-s", "book", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stdout
    assert "Python 3.9.1" in done.stdout
    assert "next step" in done.stdout
    assert not (tmp_path / ".venv").exists()


PYTHON_STUB = """#!/bin/sh
# Stands in for a Python: notes what it is asked, and makes an environment with itself inside.
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-I -c "*) cat sound ;;
esac
echo "$*" >> asked
"""


def test_the_environment_is_made_once_and_again_when_it_must(tmp_path: Path) -> None:
    """Make reuses a finished environment, and replaces one that is half made, old or moved."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "sound").write_text("True")
    stub, stamp = tmp_path / "python-stub", tmp_path / ".venv" / ".made-from-constraints"
    stub.write_text(PYTHON_STUB)
    stub.chmod(0o755)

    def installs() -> bool:
        command = ["make", "-s", "book", f"PYTHON={stub}"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        asked = (tmp_path / "asked").read_text().splitlines()
        (tmp_path / "asked").unlink()
        assert asked[-1] == "-m hsirepro.book"
        return any("pip install" in line and "-c constraints.txt" in line for line in asked)

    assert installs()
    assert not installs()
    stamp.unlink()
    assert installs(), "half made"
    os.utime(stamp, (0, 0))
    assert installs(), "older than the pins"
    (tmp_path / "sound").write_text("False")
    assert installs(), "made for another checkout"
    (tmp_path / "sound").write_text("True")
    assert not installs()


def test_the_citation_names_the_five_papers() -> None:
    """CITATION.cff credits every paper that the book works through, with title and year."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == PROJECT["version"]
    bib = (ROOT / "book" / "references.bib").read_text("utf-8").lower()
    plain = re.sub(r" +", " ", bib.replace("{", "").replace("}", ""))
    assert len({reference["title"] for reference in cited["references"]}) == 5
    for reference in cited["references"]:
        entry = plain.partition(reference["title"].lower())[2].partition("@")[0]
        assert f"year = {reference['year']}" in entry
