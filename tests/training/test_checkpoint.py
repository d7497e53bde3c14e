"""Checkpoints are whole or passed over, belong to one run, and run nobody's code."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import tempfile
import warnings
from pathlib import Path

import pytest
import torch

from hsirepro.errors import RecordError
from hsirepro.training import load_checkpoint, save_checkpoint


def state(number: int) -> dict:
    return {
        "fingerprint": "mine",
        "done": number,
        "model": {"weight": torch.full((3, 5), float(number))},
        "curves": {"loss": [1.0, 0.5]},
    }


@pytest.fixture
def path(tmp_path) -> Path:
    """Return the place of a checkpoint that has been written twice."""
    place = tmp_path / "deep" / "er" / "run.ckpt"
    save_checkpoint(state(1), place)
    save_checkpoint(state(2), place)
    return place


def test_newest_state_comes_back_and_its_predecessor_stays(path):
    """Tensors, numbers and texts come back as they were; one older state is kept beside."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_checkpoint(path, "mine")
    assert found["done"] == 2
    assert torch.equal(found["model"]["weight"], torch.full((3, 5), 2.0))
    assert found["curves"] == {"loss": [1.0, 0.5]}
    assert sorted(p.name for p in path.parent.iterdir()) == ["run.ckpt", "run.ckpt.previous"]


def test_nothing_there_is_no_error(tmp_path):
    """A run that was never started has no checkpoint."""
    assert load_checkpoint(tmp_path / "none.ckpt", "mine") is None


@pytest.mark.parametrize("length", [0, 1, 100, -200, -1])
def test_truncated_checkpoint_is_passed_over(path, length):
    """A torn file is named in a warning, and the one before it is used."""
    content = path.read_bytes()
    path.write_bytes(content[:length])
    with pytest.warns(UserWarning, match="is damaged") as caught:
        assert load_checkpoint(path, "mine")["done"] == 1
    (warning,) = caught
    assert f"Checkpoint {path} is damaged (" in str(warning.message)
    assert "trying an older one" in str(warning.message)


def test_flipped_bits_are_noticed_or_harmless(path):
    """One wrong bit anywhere: the older state is used, or the newest is unharmed; never a third."""
    content = path.read_bytes()
    passed_over = 0
    for position in range(0, len(content), 13):
        wrong = bytearray(content)
        wrong[position] ^= 1 << position % 8
        path.write_bytes(wrong)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = load_checkpoint(path, "mine")
        assert found["done"] == (1 if caught else 2), position
        expected = torch.full((3, 5), float(found["done"]))
        assert torch.equal(found["model"]["weight"], expected), position
        passed_over += bool(caught)
    assert passed_over > 10


def test_flipped_bit_of_a_weight_is_noticed(path):
    """A wrong weight would train on silently: the checksum of its bytes finds it."""
    content = bytearray(path.read_bytes())
    at = content.find(torch.full((15,), 2.0).numpy().tobytes())
    assert at > 0
    content[at + 3] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="wrong checksum"):
        assert load_checkpoint(path, "mine")["done"] == 1


def test_two_damaged_checkpoints_start_anew(path):
    """With nothing whole left the run starts over, and both files are named."""
    for place in (path, path.with_name("run.ckpt.previous")):
        place.write_bytes(b"not a checkpoint")
    with pytest.warns(UserWarning, match="is damaged") as caught:
        assert load_checkpoint(path, "mine") is None
    assert [str(path) in str(w.message) for w in caught] == [True, True]


def test_kill_between_the_two_renames_leaves_the_older_state(path):
    """If the newest name is missing, its predecessor is the newest."""
    path.unlink()
    assert load_checkpoint(path, "mine")["done"] == 1


def test_checkpoint_of_another_run_is_refused(path):
    """Other settings or data: nothing is mixed, and the text says which file to look at."""
    with pytest.raises(RecordError) as caught:
        load_checkpoint(path, "another")
    text = str(caught.value)
    assert f"The checkpoint {path} belongs to another run (other settings or data)." in text
    assert "delete it, or name another checkpoint file" in text


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoint_that_carries_code_is_refused(path, tmp_path, monkeypatch, legacy):
    """A pickle could run anything; whatever its format, nothing of it runs."""
    monkeypatch.setenv("BOMB", str(tmp_path / "boom"))
    torch.save({**state(3), "extra": Bomb()}, path, _use_new_zipfile_serialization=not legacy)
    if legacy:  # no zip, so no checkpoint of ours
        with pytest.warns(UserWarning, match="is damaged"):
            assert load_checkpoint(path, "mine")["done"] == 1
    else:
        with pytest.raises(RecordError) as caught:
            load_checkpoint(path, "mine")
        assert f"The checkpoint {path} holds more than tensors, numbers" in str(caught.value)
        assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "boom").exists()
    pickle.loads(pickle.dumps(Bomb()))
    assert (tmp_path / "boom").exists(), "the bomb does work"


def test_folder_that_cannot_be_made_is_named(tmp_path):
    """A checkpoint under a file has no folder, and the text says so with the path."""
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "run.ckpt"
    with pytest.raises(RecordError) as caught:
        save_checkpoint(state(1), place)
    assert f"The checkpoint {place} cannot be written: " in str(caught.value)
    assert "choose a folder that you may write to and that has room" in str(caught.value)


def test_full_disk_keeps_the_older_checkpoints(path, monkeypatch):
    """Without room the new state is lost and said so; the old ones stay, and no rubbish."""

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="cannot be written: No space left on device"):
        save_checkpoint(state(3), path)
    assert load_checkpoint(path, "mine")["done"] == 2
    assert load_checkpoint(path.with_name("run.ckpt.previous"), "mine")["done"] == 1
    assert len(list(path.parent.iterdir())) == 2


def test_room_that_ends_in_the_middle_is_named(path):
    """A disk that fills up while the state is written is reported as such."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        with pytest.raises(RecordError, match="cannot be written: File too large"):
            save_checkpoint({**state(3), "more": torch.rand(100, 100)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert load_checkpoint(path, "mine")["done"] == 2
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_read_only_folder_is_named():
    """A folder without the right to write is reported with the file that was meant for it."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    place, was = folder / "run.ckpt", os.geteuid()
    folder.chmod(0o555)
    if was == 0:  # the superuser may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises(RecordError) as caught:
            save_checkpoint(state(1), place)
    finally:
        os.seteuid(was)
        folder.chmod(0o755)
        folder.rmdir()
    assert f"The checkpoint {place} cannot be written: Permission denied." in str(caught.value)


def test_state_that_would_not_load_again_is_not_kept(path):
    """What is written is read back first: a state with code in it replaces nothing."""
    with pytest.raises(pickle.UnpicklingError):
        save_checkpoint({**state(3), "extra": Bomb}, path)
    assert load_checkpoint(path, "mine")["done"] == 2


def test_fingerprint_knows_settings_seed_and_data():
    """Another setting, seed or image is another run."""
    from hsirepro.training import fingerprint_of

    image = torch.rand(2, 3, 4)
    base = fingerprint_of({"a": 1}, 0, image)
    assert base == fingerprint_of({"a": 1}, 0, image.clone())
    others = [
        fingerprint_of({"a": 2}, 0, image),
        fingerprint_of({"a": 1}, 1, image),
        fingerprint_of({"a": 1}, 0, image + 1),
        fingerprint_of({"a": 1}, 0, image, image),
    ]
    assert len({base, *others}) == 5
