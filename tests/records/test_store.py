"""Laws of the record store: a record is whole and unaltered, or it is not there."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from hsirepro import atomic
from hsirepro.errors import ParameterError, RecordError
from hsirepro.records import PROFILES, Record, RecordKey, RecordStore, default_root
from hsirepro.records.hdf5 import BLOCK, FORMAT, to_bytes

CELL = {
    "paper": "hyconet",
    "table": "II",
    "scene": "planted",
    "condition": "psf_sigma=0.5",
    "method": "HyCoNet",
}


def make(profile="smoke", seed=0, **cell):
    rng = np.random.default_rng(seed)
    return Record(
        key=RecordKey(**{**CELL, **cell}, profile=profile, seed=seed),
        metrics={"mPSNR": 40.0 + seed, "mSAM": 1 / 3, "identical": math.inf},
        curves={"loss": rng.random(50), "iteration": np.arange(50)},
        arrays={"psf": rng.random((8, 8)), "empty": np.zeros((0, 3)), "mask": np.eye(3) > 0},
        images={
            "fused": rng.integers(0, 256, (24, 20, 3), dtype=np.uint8),
            "error": rng.integers(0, 65536, (24, 20), dtype=np.uint16),
        },
        settings={"p": 30, "lr": 1e-3, "names": ["a", "λ"], "nested": {"on": True, "off": None}},
        provenance={"device": "cpu", "wall_time_s": 1.5},
    )


@pytest.fixture
def store(tmp_path):
    return RecordStore(tmp_path / "results")


def stamped(body):
    """Return the bytes of a file with the right hash over any ``body``."""
    told = f"{FORMAT}\nsha256 of all bytes from {BLOCK}: {hashlib.sha256(body).hexdigest()}\n"
    return told.encode().ljust(BLOCK, b"\0") + body


def rewritten(record, change):
    """Return the bytes of ``record`` after ``change(file)``, under a right hash."""
    buffer = io.BytesIO(to_bytes(record))
    with h5py.File(buffer, "r+") as file:
        change(file)
    return stamped(buffer.getvalue()[BLOCK:])


def test_what_is_read_is_what_was_written(store):
    """Saving and loading changes nothing: not a bit, not a dtype, not a setting."""
    record = make()
    path = store.write(record)
    again = store.read(path)
    assert again == record
    assert again.metrics["mSAM"] == 1 / 3
    assert again.curves["loss"].dtype == np.float32
    assert again.curves["iteration"].dtype == np.arange(1).dtype
    assert again.images["error"].dtype == np.uint16
    assert store.verify() == []
    assert [p.suffix for p in store.root.rglob("*") if p.is_file()] == [".h5"]


def test_any_hdf5_tool_opens_a_record(store):
    """A record is plain HDF5: the key and settings are attributes, the arrays datasets."""
    path = store.write(make())
    with h5py.File(path, "r") as file:
        assert file.attrs["scene"] == "planted"
        assert file.attrs["seed"] == 0
        assert '"p": 30' in file.attrs["settings"]
        assert file["metrics"].attrs["mPSNR"] == 40.0
        assert file["curves/loss"].shape == (50,)
        assert file["images/fused"].compression == "gzip"
        assert file["images/fused"].shuffle


def test_long_settings_are_kept(store):
    """Settings above the 64 kB that old HDF5 attributes hold come back whole."""
    long = {f"setting {i}": "x" * 100 for i in range(1500)}
    record = Record(RecordKey(**CELL, profile="smoke", seed=0), {}, settings=long)
    assert store.read(store.write(record)) == record


def test_odd_names_round_trip(store):
    """The exact key comes back, whatever its names had to become in the path."""
    odd = {"scene": "Houston 2018 / crop", "condition": "σ = 0.5, SNR: 30 dB", "method": "A--B"}
    record = make(**odd)
    assert store.read(store.write(record)).key == record.key
    assert store.find(**odd) == [record]
    assert store.find(method="A") == []


def test_any_flipped_byte_is_noticed(store):
    """A record with one wrong byte, wherever it is, is not read."""
    path = store.write(make())
    whole = path.read_bytes()
    places = [0, 60, BLOCK - 1, BLOCK, len(whole) - 1]
    places += random.Random(0).sample(range(len(whole)), 200)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(RecordError, match="torn or altered"):
            store.read(path)
    path.write_bytes(whole)
    assert store.read(path) == make()


@pytest.mark.parametrize("length", [0, 1, 100, BLOCK, BLOCK + 1, 4000, -1])
def test_truncated_record_is_named_and_passed_over(store, length):
    """A torn record counts as absent; the message names the file and what to do."""
    path = store.write(make())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RecordError) as caught:
        store.read(path)
    text = str(caught.value)
    assert "HyCoNet--smoke--seed0.h5 is torn or altered: its SHA-256 is not" in text
    assert str(path) in text
    assert "delete the file and make it again with: hsirepro run" in text
    with pytest.warns(
        UserWarning, match="Passed over: The record HyCoNet--smoke--seed0.h5 is torn"
    ):
        assert store.best(**CELL) is None
    assert store.verify() == [text]


def test_trailing_bytes_are_noticed(store):
    """Nothing is ever appended to a record."""
    path = store.write(make())
    with path.open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(RecordError, match="torn or altered"):
        store.read(path)


def test_missing_record_is_an_error_only_when_asked_for_by_path(store):
    """What was never made is simply absent."""
    assert store.find() == []
    assert store.best(**CELL) is None
    assert store.verify() == []
    with pytest.raises(RecordError, match="cannot be read \\(No such file or directory\\)"):
        store.read(store.root / "none.h5")


def test_record_in_the_wrong_place_is_not_trusted(store):
    """A copied file does not become the record of another cell."""
    path = store.write(make(seed=0))
    copy = path.with_name("HyCoNet--smoke--seed1.h5")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(RecordError) as caught:
        store.read(copy)
    assert "lies in the place of another" in str(caught.value)
    assert str(path) in str(caught.value)
    with pytest.warns(UserWarning, match="lies in the place of another"):
        assert [r.key.seed for r in store.find()] == [0]


def _external_link(file):
    file["arrays/secret"] = h5py.ExternalLink("elsewhere.h5", "/x")


def _soft_link(file):
    file["arrays/again"] = h5py.SoftLink("/arrays/psf")


def _external_bytes(file):
    name = __file__.encode()
    file["arrays"].create_dataset("bytes", (16,), "u1", external=[(name, 0, 16)])


def _huge(file):
    file["arrays"].create_dataset("huge", (10**6, 10**6), "f4", chunks=(100, 100))


def _text(file):
    file["arrays"].create_dataset("text", data="words")


def _group(file):
    file["arrays"].create_group("inner")


def _no_metrics(file):
    del file["metrics"]


def _new_format(file):
    file.attrs["format"] = "hsirepro record 99"


def _bad_settings(file):
    file.attrs["settings"] = "{not json"


def _bad_profile(file):
    file.attrs["profile"] = "best"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_external_link, "'secret' does not lie in the file"),
        (_soft_link, "'again' does not lie in the file"),
        (_external_bytes, "'bytes' does not lie in the file"),
        (_group, "'inner' does not lie in the file"),
        (_huge, "'huge' is not a small numeric array"),
        (_text, "'text' is not a small numeric array"),
        (_no_metrics, "metrics"),
        (_new_format, "its format is 'hsirepro record 99'"),
        (_bad_settings, "Expecting property name"),
        (_bad_profile, "'best' is not a profile"),
    ],
)
def test_hostile_record_with_a_right_hash_is_refused(store, change, says):
    """A file from outside may know the hash; it still reads nothing but its own small arrays."""
    record = make()
    path = store.write(record)
    path.write_bytes(rewritten(record, lambda file: None))
    assert store.read(path) == record
    path.write_bytes(rewritten(record, change))
    with pytest.raises(RecordError) as caught:
        store.read(path)
    assert says in str(caught.value)


def test_bytes_that_are_no_hdf5_are_refused(store):
    """A right hash over nonsense is nonsense."""
    path = store.root / make().key.path
    path.parent.mkdir(parents=True)
    path.write_bytes(stamped(b"not hdf5" * 100))
    with pytest.raises(RecordError, match="torn or altered"):
        store.read(path)


def test_oversized_record_is_refused(store):
    """Records stay small, because they are kept in git."""
    key = RecordKey(**CELL, profile="smoke", seed=0)
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1000), dtype=np.uint8)
    with pytest.raises(RecordError) as caught:
        store.write(Record(key, {}, curves={"loss": np.zeros(300_000)}))
    assert "takes 1.2 MB; the limit is 1 MB" in str(caught.value)
    store.write(Record(key, {}, images={"noise": noise}))
    with pytest.raises(RecordError) as caught:
        store.write(Record(key, {}, images={str(i): noise for i in range(4)}))
    assert "takes 4.8 MB; the limit is 4 MB" in str(caught.value)
    assert list(store.read(store.root / key.path).images) == ["noise"]


def test_best_record_is_paper_before_quick_before_smoke(store):
    """The best profile wins, however many records a lesser one has."""
    assert PROFILES == ("paper", "quick", "smoke")
    for profile in reversed(PROFILES):
        for seed in (2, 0, 1):
            store.write(make(profile, seed))
        best = store.best(**CELL)
        assert (best.key.profile, best.key.seed) == (profile, 0)
        assert [r.key.seed for r in store.best_seeds(**CELL)] == [0, 1, 2]
    (store.root / make("paper", 0).key.path).unlink()
    assert store.best(**CELL).key == make("paper", 1).key


def test_torn_paper_record_falls_back_to_quick(store):
    """A torn record is treated as absent: the next best is shown, with a warning."""
    store.write(make("quick"))
    path = store.write(make("paper"))
    path.write_bytes(b"torn")
    with pytest.warns(UserWarning, match="Passed over"):
        assert store.best(**CELL).key.profile == "quick"


def test_find_filters_by_every_field(store):
    """Any part of the key finds its records, and a word that is no part of it is refused."""
    for seed in (0, 1):
        for method in ("HyCoNet", "GSA"):
            store.write(make(seed=seed, method=method))
    assert len(store.find()) == 4
    assert [r.key.method for r in store.find(seed=1)] == ["GSA", "HyCoNet"]
    assert [r.key.seed for r in store.find(method="GSA", profile="smoke")] == [0, 1]
    assert store.find(scene="*") == []
    with pytest.raises(ParameterError) as caught:
        store.find(metod="GSA")
    assert "no 'metod' to find them by.\n  next step  did you mean 'method'?" in str(caught.value)


def test_rewriting_replaces(store):
    """Running a cell again leaves one record, the new one."""
    store.write(make())
    newer = Record(make().key, {"mPSNR": 1.0})
    store.write(newer)
    assert store.find() == [newer]
    assert len(list(store.root.rglob("*"))) == len(newer.key.path.parts)


WRITER = """
import os, sys, time
import numpy as np
from hsirepro.records import Record, RecordKey, RecordStore

if sys.argv[2] == "stall":
    os.fsync = lambda descriptor: time.sleep(60)
image = np.random.default_rng(0).integers(0, 256, (900, 900), dtype=np.uint8)
store = RecordStore(sys.argv[1])
seed = 0
while True:
    key = RecordKey("p", "t", "s", "c", "m", "smoke", seed)
    store.write(Record(key, {"turn": 1.0}, images={"noise": image}))
    print(seed, flush=True)
    seed += 1
"""


def _writer(root, mode):
    command = [sys.executable, "-c", WRITER, str(root), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_before_the_bytes_are_safe_publishes_nothing(store):
    """SIGKILL while a record is being written leaves no record, only a leftover with a name."""
    process = _writer(store.root, "stall")
    deadline = time.monotonic() + 60
    while not list(store.root.rglob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(store.root.rglob("*.h5")) == []
    assert store.find() == []
    (problem,) = store.verify()
    assert "was left behind by a run that was stopped" in problem
    assert "delete it when no run is going on" in problem


@pytest.mark.parametrize("turn", range(3))
def test_kill_at_any_moment_leaves_only_whole_records(store, turn):
    """SIGKILL between or within writes never leaves a torn record under a record's name."""
    process = _writer(store.root, "run")
    process.stdout.readline()
    time.sleep(random.Random(turn).uniform(0.0, 0.15))
    process.send_signal(signal.SIGKILL)
    printed = len(process.communicate()[0].split()) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = store.find()
    assert len(found) in (printed, printed + 1)
    assert all("left behind" in problem for problem in store.verify())


def test_two_writers_of_one_key_do_not_interleave(store):
    """Of two writers one wins whole; a reader never sees a mixture."""
    records = [
        Record(make().key, {"writer": float(i)}, {"loss": np.full(2000 * (i + 1), i)})
        for i in range(2)
    ]
    path = store.write(records[0])
    done = threading.Event()

    def keep_writing(record):
        while not done.is_set():
            store.write(record)

    threads = [threading.Thread(target=keep_writing, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    try:
        seen = [store.read(path) for _ in range(150)]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(record in records for record in seen)
    assert {record.metrics["writer"] for record in seen} == {0.0, 1.0}
    assert store.verify() == []


def test_failed_write_keeps_the_old_record(store, monkeypatch):
    """A full disk costs the new record, not the old one, and leaves no rubbish."""
    store.write(make())

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(RecordError) as caught:
        store.write(Record(make().key, {"mPSNR": 1.0}))
    assert "No space left on device" in str(caught.value)
    monkeypatch.undo()
    assert store.find() == [make()]
    assert store.verify() == []


def test_disk_that_lies_is_noticed(store, monkeypatch):
    """What is read back must be what was written, or nothing is published."""
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"something else")
    with pytest.raises(RecordError, match="does not hold what was written to it"):
        store.write(make())
    monkeypatch.undo()
    assert store.find() == []


@pytest.fixture
def read_only_folder():
    """Give a folder that this process may read but not write, also when tests run as root."""
    folder = Path(tempfile.mkdtemp())
    was = os.geteuid()
    folder.chmod(0o555)
    if was == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(was)
        folder.chmod(0o755)
        folder.rmdir()


def test_read_only_folder_stops_work_before_it_starts(read_only_folder):
    """A folder that cannot be written is reported at once, by its name."""
    for store in (RecordStore(read_only_folder), RecordStore(read_only_folder / "results")):
        with pytest.raises(RecordError) as caught:
            store.check_writable()
        text = str(caught.value)
        assert f"Records cannot be written to {store.root}: Permission denied." in text
        assert "HSIREPRO_RESULTS" in text
        with pytest.raises(RecordError, match="Permission denied"):
            store.write(make())


def test_folder_that_is_a_file_stops_work_before_it_starts(tmp_path):
    """A root that lies under a file is no folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="Not a directory"):
        RecordStore(tmp_path / "file" / "results").check_writable()


def test_check_leaves_nothing_behind(store):
    """Checking a folder changes nothing in it."""
    store.check_writable()
    assert list(store.root.iterdir()) == []


def test_default_root_is_the_told_one_or_the_checkout(monkeypatch, tmp_path):
    """HSIREPRO_RESULTS decides; without it records lie in the checkout."""
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path))
    assert RecordStore().root == default_root() == tmp_path
    monkeypatch.delenv("HSIREPRO_RESULTS")
    monkeypatch.chdir(tmp_path)
    checkout = Path(atomic.__file__).resolve().parents[1]
    inside = (checkout / "pyproject.toml").is_file()
    assert default_root() == (checkout if inside else tmp_path) / "results"


def test_a_folder_that_was_named_has_to_be_there(tmp_path):
    """A slip in its name must not look like an empty store."""
    RecordStore(tmp_path).check_readable()
    with pytest.raises(RecordError, match=r"(?s)no folder of records.*correct the name"):
        RecordStore(tmp_path / "none").check_readable()
