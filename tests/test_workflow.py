"""The optional sweep engine asks for the files that the record store writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hsirepro.papers.hyconet import keys

ROOT = Path(__file__).parents[1]


def test_the_sweep_waits_for_the_files_that_records_have() -> None:
    """The path in the Snakefile is that of the record store, or a sweep never ends."""
    store = (ROOT / "workflow" / "Snakefile").read_text("utf-8")
    pattern = next(line for line in store.splitlines() if line.startswith("STORE"))
    path = pattern.split('"')[1].format(
        table="V", scene="houston-2018-crop", sigma="0.5", method="gsa", profile="quick", seed=0
    )
    (key,) = keys("V", "houston-2018-crop", 0.5, "quick", ["gsa"])
    assert path == f"results/{key.path}"


def test_snakemake_plans_the_sweep() -> None:
    """A dry run finds a rule for every cell that it is asked for."""
    pytest.importorskip("snakemake", reason="the sweep extra is not installed")
    call = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--config"]
    call += ["scenes=planted", "profile=smoke", "sigmas=0.7", "methods=gsa,hyconet"]
    call += ["--snakefile", str(ROOT / "workflow" / "Snakefile")]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for method in ("gsa", "hyconet"):
        assert f"planted/sigma=0.7/{method}--smoke--seed0.h5" in done.stdout
