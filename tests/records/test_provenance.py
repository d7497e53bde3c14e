"""Laws of provenance: it says what made a number, and nothing about who or where."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import hsirepro
from hsirepro.records import Record, RecordKey, RecordStore, code_hash, provenance

RUN = {
    "seed": 3,
    "data_sha256": "ab" * 32,
    "wall_time_s": 1.23456,
    "peak_memory_mb": 99.95,
    "device": "cpu",
}


def test_provenance_says_what_made_the_number():
    """Code, packages, hardware, data and time are all there, ready for JSON."""
    made = provenance(**RUN)
    assert made == json.loads(json.dumps(made))
    assert made["seed"] == 3
    assert made["data_sha256"] == "ab" * 32
    assert made["wall_time_s"] == 1.235
    assert made["code_version"] == hsirepro.__version__
    assert re.fullmatch("[0-9a-f]{64}", made["code_hash"])
    assert made["packages"]["numpy"] == np.__version__
    assert set(made["packages"]) == {"torch", "numpy", "xarray", "h5py", "lightning", "scipy"}
    assert made["machine"]["cpu"] in made["hardware"]
    assert made["machine"]["threads"] >= 1
    assert made["machine"]["gpu"] is None
    assert made["machine"]["memory_gb"] > 0.1
    age = datetime.now(UTC) - datetime.fromisoformat(made["date"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=60)


def test_provenance_names_no_person_host_or_folder():
    """Records are published: they must not say on whose machine or where they were made."""
    text = json.dumps(provenance(**RUN))
    for private in (str(Path.home()), str(Path.cwd()), socket.gethostname()):
        assert len(private) < 2 or private not in text
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text)


def test_provenance_survives_a_record(tmp_path):
    """What is stored is what was said."""
    made = provenance(**RUN)
    key = RecordKey("p", "t", "s", "c", "m", "smoke", 3)
    store = RecordStore(tmp_path)
    assert store.read(store.write(Record(key, {}, provenance=made))).provenance == made


def _hash_of_copy(package):
    code = "from hsirepro.records import code_hash; print(code_hash())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_code_hash_is_of_the_sources_alone(tmp_path):
    """The hash is the same elsewhere and with other line ends; a changed source changes it."""
    package = tmp_path / "hsirepro"
    keep = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(hsirepro.__file__).parent, package, ignore=keep)
    (package / "__init__.py").write_bytes(
        (package / "__init__.py").read_bytes().replace(b"\n", b"\r\n")
    )
    (package / "notes.md").write_text("not code")
    before = _hash_of_copy(package)
    code_hash.cache_clear()  # others may have edited the package since this process began
    assert before == code_hash()
    with (package / "errors.py").open("a") as stream:
        stream.write("# changed\n")
    assert _hash_of_copy(package) != before


def test_commit_is_that_of_the_checkout(tmp_path):
    """In a checkout the commit is told, and whether the package was changed since."""
    package = tmp_path / "hsirepro"
    keep = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(hsirepro.__file__).parent, package, ignore=keep)
    (tmp_path / ".gitignore").write_text("__pycache__/\n")

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", *identity, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def told():
        code = "from hsirepro.records.provenance import _git; print(*_git())"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert told() == ["None", "None"]
    git("init", "-q")
    assert told() == ["None", "None"]  # no commit yet
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert told() == [git("rev-parse", "HEAD"), "False"]
    (package / "errors.py").write_text("# changed\n" + (package / "errors.py").read_text())
    assert told() == [git("rev-parse", "HEAD"), "True"]


def test_meter_measures_time_and_the_peak_of_the_block():
    """A block that fills 200 MB shows them; one after it does not inherit them where Linux lets."""
    # In a process of its own: where training ran before, freed memory waits to be used again.
    code = """
import numpy as np
from hsirepro.records import Meter
with Meter() as small:
    np.ones(10)
with Meter() as large:
    block = np.ones(25_000_000)
    block += 1
    del block
with Meter() as after:
    np.ones(10)
print(large.wall_time_s, after.peak_covers)
print(small.peak_memory_mb, large.peak_memory_mb, after.peak_memory_mb)
"""
    call = [sys.executable, "-c", code]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    small, large, after = map(float, said[2:])
    assert float(said[0]) > 0.0
    assert large > small + 150
    if said[1] == "block":
        assert after < large - 150
    else:
        assert after >= large


@pytest.mark.parametrize("module", ["torch", "xarray", "pandas", "matplotlib"])
def test_records_are_light_to_import(module):
    """The command line lists records without loading torch or xarray."""
    code = f"import sys, hsirepro.records; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
