"""Sweeps: what is recorded is skipped, what fails is told, the rest goes on."""

from __future__ import annotations

import pytest

from hsirepro.errors import PixelError
from hsirepro.papers.hyconet import keys
from hsirepro.papers.sweep import missing, sweep
from hsirepro.records import Record, RecordKey, RecordStore, code_hash, provenance


def run(key: RecordKey, *, device: str, checkpoint) -> Record:
    """Stand in for a paper's ``run_cell``: seed 1 has a scene that cannot be read."""
    if key.seed == 1:
        raise PixelError("The scene holds NaN.")
    assert device == "cpu"
    sources = provenance(
        seed=key.seed, data_sha256="0" * 64, wall_time_s=1, peak_memory_mb=1, device="cpu"
    )
    return Record(key, {"mPSNR": float(key.seed)}, provenance=sources)


def cells() -> list[RecordKey]:
    return keys("II", "planted", 0.5, "paper", ["hyconet"], [0, 1, 2])


def test_one_failure_stops_nothing_else(tmp_path):
    """Two cells are recorded, the third is named with its error, and alone is left."""
    store, said = RecordStore(tmp_path), []
    failures = sweep(cells(), run, store=store, jobs=2, say=said.append)
    assert said[0] == "3 of 3 cells are to be run, 2 at a time"
    assert len(failures) == 1
    assert "seed 1" in failures[0]
    assert "The scene holds NaN." in failures[0]
    assert [record.key.seed for record in store.find()] == [0, 2]
    assert missing(cells(), store) == [cells()[1]]


def test_second_sweep_runs_what_is_left(tmp_path):
    """A sweep that was cut off goes on where its records end."""
    store, said = RecordStore(tmp_path), []
    store.write(run(cells()[0], device="cpu", checkpoint=None))
    sweep([*cells()[:1], *cells()[:1], cells()[2]], run, store=store, say=said.append)
    assert said[0] == "1 of 2 cells are to be run, 1 at a time"
    assert [record.key.seed for record in store.find()] == [0, 2]
    assert sweep([cells()[0]], run, store=store, say=said.append) == []
    assert said[-1] == "0 of 1 cells are to be run, 1 at a time"


@pytest.mark.parametrize("what", ["stale", "torn"])
def test_sweep_makes_stale_and_torn_cells_again(tmp_path, what):
    """A record of older code, or one that is not whole, is missing."""
    from hsirepro.papers.sweep import missing

    store = RecordStore(tmp_path)
    (key,) = keys("II", "planted", 0.5, "quick", ["gsa"])
    path = store.write(
        Record(
            key,
            {"mPSNR": 1.0},
            provenance={"code_hash": "0" * 64 if what == "stale" else code_hash()},
        )
    )
    if what == "torn":
        assert missing([key], store) == []
        path.write_bytes(path.read_bytes()[:-20])
    assert missing([key], store) == [key]
