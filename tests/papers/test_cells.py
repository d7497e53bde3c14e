"""Filling a table: what is recorded stays, what is missing is run, nothing done is lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from hsirepro.errors import RecordError
from hsirepro.papers.cells import fill, is_current, recorded, scratch_store
from hsirepro.papers.hyconet import keys
from hsirepro.records import Record, RecordKey, RecordStore, code_hash

FIVE = keys("II", "planted", 0.5, "smoke", ["bicubic", "gsa", "sfim-hs", "hyconet", "hyconet-bf16"])


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch) -> Path:
    """Let the default store be an empty folder, and no scratch folder be set."""
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path / "results"))
    monkeypatch.delenv("HSIREPRO_SCRATCH", raising=False)
    return tmp_path / "results"


@pytest.fixture
def store(results) -> RecordStore:
    return RecordStore(results)


def record(key: RecordKey, code: str | None = None, value: float = 30.0) -> Record:
    made = {"code_hash": code_hash() if code is None else code}
    return Record(key, {"mPSNR": value}, arrays={"psf": np.eye(2)}, provenance=made)


class Runner:
    """Stand in for a run: note which cells were asked for, and fail at one if told so."""

    def __init__(self, fail_at: RecordKey | None = None) -> None:
        self.ran: list[RecordKey] = []
        self.fail_at = fail_at

    def __call__(self, key: RecordKey, checkpoint: Path) -> Record:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_text("state of the training")
        checkpoint.with_name(checkpoint.name + ".previous").write_text("older state")
        if key == self.fail_at:
            raise RuntimeError("the power went")
        self.ran.append(key)
        return record(key, value=40.0)


def test_missing_cells_are_run_in_order(store):
    """An empty store gets every cell once, in the order that was asked for, whole on the disk."""
    run, said = Runner(), []
    made = fill(FIVE, run, store=store, say=said.append)
    assert run.ran == FIVE
    assert [r.key for r in made] == FIVE
    assert store.verify() == []
    assert store.find() == sorted(made, key=lambda r: r.key)
    assert said[0] == f"run 1 of 5: {FIVE[0]}"
    assert len(said) == 5


def test_recorded_cells_are_not_run_again(store):
    """A second call computes nothing and returns the same records."""
    first = fill(FIVE, Runner(), store=store)
    run, said = Runner(), []
    assert fill(FIVE, run, store=store, say=said.append) == first
    assert run.ran == []
    assert said == []


def test_only_what_is_missing_is_run(store):
    """Records that are there are kept as they are, between the new ones."""
    store.write(record(FIVE[1], value=33.0))
    run = Runner()
    made = fill(FIVE, run, store=store)
    assert run.ran == [FIVE[0], *FIVE[2:]]
    assert [r.metrics["mPSNR"] for r in made] == [40.0, 33.0, 40.0, 40.0, 40.0]


def test_again_runs_everything(store):
    """With again=True records are replaced."""
    fill(FIVE, Runner(), store=store)
    run = Runner()
    fill(FIVE, run, store=store, again=True)
    assert run.ran == FIVE


@pytest.mark.parametrize(("profile", "kept"), [("smoke", False), ("quick", False), ("paper", True)])
def test_records_of_older_code(store, profile, kept):
    """Short runs are re-made when the code changed; runs that cost hours stay valid."""
    (key,) = keys("II", "planted", 0.5, profile, ["gsa"])
    old = record(key, code="0" * 64)
    store.write(old)
    assert is_current(old) is kept
    run = Runner()
    (made,) = fill([key], run, store=store)
    assert run.ran == ([] if kept else [key])
    assert made == (old if kept else record(key, value=40.0))
    assert store.read(store.root / key.path) == made


@pytest.mark.parametrize("profile", ["smoke", "paper"])
def test_torn_record_is_made_again(store, profile):
    """A record that lost its end counts as absent, and is replaced by a whole one."""
    (key,) = keys("II", "planted", 0.5, profile, ["gsa"])
    path = store.write(record(key))
    path.write_bytes(path.read_bytes()[:-20])
    assert recorded(key, [store]) is None
    run = Runner()
    fill([key], run, store=store)
    assert run.ran == [key]
    assert store.verify() == []


def test_nothing_done_is_lost_when_a_cell_fails(store):
    """The third of five cells fails: two are recorded, its checkpoint stays, three are left."""
    with pytest.raises(RuntimeError, match="the power went"):
        fill(FIVE, Runner(fail_at=FIVE[2]), store=store)
    assert {r.key for r in store.find()} == set(FIVE[:2])
    checkpoints = [p.name for p in store.root.rglob("*.ckpt*")]
    assert sorted(checkpoints) == [
        "sfim-hs--smoke--seed0.ckpt",
        "sfim-hs--smoke--seed0.ckpt.previous",
    ]
    run = Runner()
    fill(FIVE, run, store=store)
    assert run.ran == FIVE[2:]
    assert list(store.root.rglob("*.ckpt*")) == [], "checkpoints go when the record is there"


def test_every_cell_has_its_own_checkpoint(store):
    """Two cells never resume from each other's state."""
    seen = []
    cells = [k for s in (0, 1) for k in keys("II", "planted", 0.5, "smoke", ["hyconet"], [s])]
    cells += keys("II", "planted", 1.0, "smoke", ["hyconet", "hyconet-2021"])

    def run(key, checkpoint):
        seen.append(checkpoint)
        return record(key)

    fill(cells, run, store=store)
    assert len(set(seen)) == len(cells)


def test_scratch_store_keeps_results_clean(store, tmp_path, monkeypatch):
    """A book build looks in the results and writes elsewhere."""
    monkeypatch.setenv("HSIREPRO_SCRATCH", str(tmp_path / "scratch"))
    kept = record(FIVE[0], value=33.0)
    store.write(kept)
    run = Runner()
    made = fill(FIVE[:2], run)
    assert run.ran == [FIVE[1]]
    assert made[0] == kept
    assert store.find() == [kept]
    assert scratch_store().find() == [made[1]]
    assert fill(FIVE[:2], Runner()) == made
    monkeypatch.delenv("HSIREPRO_SCRATCH")
    assert scratch_store().root == store.root.parent / "_build" / "records"


def test_stale_scratch_does_not_hide_a_current_record(store, tmp_path):
    """Where the first store has an old record and the second a current one, that one is taken."""
    scratch = RecordStore(tmp_path / "scratch")
    scratch.write(record(FIVE[0], code="0" * 64))
    current = record(FIVE[0], value=33.0)
    store.write(current)
    run = Runner()
    assert fill([FIVE[0]], run, store=scratch) == [current]
    assert run.ran == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_read_only_store_stops_before_any_run(monkeypatch):
    """A folder that cannot be written is told before hours of work, with the way out."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    monkeypatch.setenv("HSIREPRO_RESULTS", str(folder))
    was, run = os.geteuid(), Runner()
    folder.chmod(0o555)
    if was == 0:  # the superuser may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises(RecordError) as caught:
            fill(FIVE, run, store=RecordStore(folder))
    finally:
        os.seteuid(was)
        folder.chmod(0o755)
        folder.rmdir()
    assert run.ran == []
    text = str(caught.value)
    assert f"Records cannot be written to {folder}: Permission denied." in text
    assert "HSIREPRO_RESULTS" in text


def test_full_table_can_be_read_from_a_read_only_store(store):
    """Where nothing is missing nothing has to be writable."""
    made = fill(FIVE, Runner(), store=store)

    class ReadOnly(RecordStore):
        def check_writable(self) -> None:
            raise RecordError("not writable")

    assert fill(FIVE, Runner(), store=ReadOnly(store.root)) == made
