"""SIGKILL during a training run of HyCoNet costs time, never bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from hsirepro.fusion import Fused, fuse
from hsirepro.fusion import hyconet as door
from hsirepro.optics import degrade, landsat8_oli
from hsirepro.scenes.simulate import simulate
from hsirepro.training import TrainingRun

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

ITERATIONS = 33
method = sys.modules[door.__module__]  # hsirepro.fusion.hyconet names the function, too


def run(checkpoint: Path | None) -> Fused:
    """Train on a small planted pair, keeping the state every 10 iterations."""
    torch.set_num_threads(1)
    nm = np.linspace(430.0, 860.0, 16)
    srf = landsat8_oli(nm)
    pair = degrade(simulate(size=(16, 20), wavelengths=nm).cube, ratio=4, srf=srf, sigma=0.5)
    method.TrainingRun = partial(TrainingRun, checkpoint_every=10, log_every=4)
    settings = {"iterations": ITERATIONS, "endmembers": 8, "checkpoint": checkpoint}
    try:
        return fuse("hyconet", pair.hsi, pair.msi, ratio=4, srf=srf, seed=2, **settings)
    finally:
        method.TrainingRun = TrainingRun


def die() -> None:
    """End without any chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_iteration(number: int) -> None:
    """Arrange for the death in the middle of an iteration, gradients half summed."""
    accumulate, count = method.accumulate, iter(range(1, 10_000))

    def mortal(*args, **kwargs):
        terms = accumulate(*args, **kwargs)
        if next(count) == number:
            die()
        return terms

    method.accumulate = mortal


def die_in_rename(number: int) -> None:
    """Arrange for the death before one of the renames that publish a checkpoint."""
    replace, count = os.replace, iter(range(1, 10_000))

    def mortal(*args, **kwargs):
        if next(count) == number:
            die()
        replace(*args, **kwargs)

    os.replace = mortal


DEATHS = {
    "before the first checkpoint": ("iteration", 7),
    "between checkpoints": ("iteration", 26),
    # Checkpoint 1 is one rename, every later one two: the old one aside, the new one in.
    "while the third is being published": ("rename", 4),
    "with the old one moved aside": ("rename", 5),
}


def kept(result: Fused) -> list[bytes]:
    """Return the bytes of image, learned tensors and curves."""
    curves = [values.tobytes() for _, values in sorted(result.curves.items())]
    learned = [value.numpy().tobytes() for _, value in sorted(result.learned.items())]
    return [result.cube.values.tobytes(), *learned, *curves]


@pytest.fixture(scope="module")
def uninterrupted() -> list[bytes]:
    threads = torch.get_num_threads()
    yield kept(run(None))
    torch.set_num_threads(threads)


@pytest.mark.parametrize("death", DEATHS)
def test_killed_and_resumed_is_uninterrupted(tmp_path, uninterrupted, death):
    """A run that was killed goes on where it was and ends with the same bytes."""
    checkpoint = tmp_path / "run.ckpt"
    call = [sys.executable, __file__, *map(str, DEATHS[death]), str(checkpoint)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    whole = [name for name in names if not name.endswith(".partial")]
    assert (
        whole
        == {
            "before the first checkpoint": [],
            "between checkpoints": ["run.ckpt", "run.ckpt.previous"],
            "while the third is being published": ["run.ckpt", "run.ckpt.previous"],
            "with the old one moved aside": ["run.ckpt.previous"],
        }[death]
    )
    assert kept(run(checkpoint)) == uninterrupted


if __name__ == "__main__":
    {"iteration": die_in_iteration, "rename": die_in_rename}[sys.argv[1]](int(sys.argv[2]))
    run(Path(sys.argv[3]))
