"""What all tests share: real data if there is some, and no network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

REASON = "HSIREPRO_DATA is not set, and this law needs real files"


@pytest.fixture
def data_dir() -> Path:
    """Return the first folder of HSIREPRO_DATA, or skip the test where there is none."""
    folders = [f for f in os.environ.get("HSIREPRO_DATA", "").split(os.pathsep) if f]
    if not folders:
        pytest.skip(REASON)
    folder = Path(folders[0])
    assert folder.is_dir(), f"HSIREPRO_DATA names {folder}, which is not a folder"
    return folder


@pytest.fixture(autouse=True)
def _apart_from_the_user(monkeypatch, tmp_path_factory):
    """Forbid downloads, and keep the user's cache and the checkout's records out of the tests."""
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path_factory.getbasetemp() / "results"))
    monkeypatch.setenv("HSIREPRO_OFFLINE", "1")
    monkeypatch.setenv("HSIREPRO_CACHE", str(tmp_path_factory.getbasetemp() / "no-cache"))


@pytest.fixture(autouse=True)
def _same_draws_whatever_ran_before():
    """Seed what is drawn without a seed of its own: a failure comes back when it is looked for."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_terminal_summary(terminalreporter):
    """Name the files whose laws on real data were not tested, and what would test them."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if REASON in str(r.longrepr)]
    if not skipped:
        return
    files = sorted({report.nodeid.split("::")[0] for report in skipped})
    terminalreporter.section("real data")
    terminalreporter.write_line(
        f"{len(skipped)} tests on real files were skipped because HSIREPRO_DATA is not set:"
    )
    for name in files:
        count = sum(report.nodeid.startswith(name) for report in skipped)
        terminalreporter.write_line(f"  {name}: {count}")
