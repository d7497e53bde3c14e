"""One training loop on Lightning Fabric: seeded, logged, resumable bit for bit.

The loop owns the order of things (gradients, optimiser, schedule, projection, log, checkpoint);
the method owns the maths, in a ``gradients`` function that runs forward and backward for one
iteration and returns the loss terms.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hsirepro.errors import ParameterError, suggest
from hsirepro.training.checkpoint import load_checkpoint, save_checkpoint

LossTerms = dict[str, torch.Tensor]
PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed"}


def launch(device: str = "cpu", precision: str = "fp32", seed: int = 0) -> Any:
    """Return a Lightning Fabric on one device, with every random generator seeded.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"`` for the best one here.
    precision : {"fp32", "bf16"}
        ``bf16`` runs matrix products in bfloat16 and keeps the weights in fp32.
    seed : int
        Seeds Python, NumPy and torch.

    Returns
    -------
    lightning.fabric.Fabric

    Raises
    ------
    ParameterError
        If the device or precision is unknown, or the device is not on this machine.
    """
    # Lightning takes seconds to import, which neither the command line nor the baselines need.
    from lightning.fabric import Fabric

    if precision not in PRECISIONS:
        raise ParameterError(
            f"Unknown precision {precision!r}.", hint=suggest(precision, PRECISIONS)
        )
    check_device(device)
    keep_freed_memory()
    # Adam's moments of dead weights fade into denormal numbers, which are slow on a CPU.
    torch.set_flush_denormal(True)
    fabric = Fabric(accelerator=device, devices=1, precision=PRECISIONS[precision])
    fabric.seed_everything(seed, verbose=False)
    return fabric


def check_device(device: str) -> None:
    """Raise ParameterError if ``device`` is unknown, or not on this machine."""
    if device not in ("cpu", "cuda", "auto"):
        raise ParameterError(
            f"Unknown device {device!r}.", hint=suggest(device, ["cpu", "cuda", "auto"])
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError("device='cuda', but no GPU is visible.", next_step="use device='cpu'")


@dataclass
class TrainingRun:
    """What a run is made of, and how far it has come.

    Parameters
    ----------
    model : torch.nn.Module
        Already on its device.
    optimizer, scheduler
        The scheduler is stepped once per iteration.
    iterations : int
        Length of the whole run.
    fingerprint : str
        Settings and data of the run; a checkpoint of another run is refused.
    project : callable, optional
        Called after every step, for constraints such as non-negative weights.
    checkpoint : Path, optional
        Where to keep the state; resumes from there when it exists.
    checkpoint_every : int
        Iterations between two checkpoints.
    log_every : int
        Iterations between two entries of ``curves``.
    watch : callable, optional
        Returns further values for ``curves`` at each entry; they are not part of the loss.
    earlier_s : float
        Seconds of a resumed run up to the checkpoint that it goes on from.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    iterations: int
    fingerprint: str = ""
    project: Callable[[], None] | None = None
    checkpoint: Path | None = None
    checkpoint_every: int = 500
    log_every: int = 20
    watch: Callable[[], dict[str, float]] | None = None
    done: int = 0
    curves: dict[str, list[float]] = field(default_factory=dict)
    earlier_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on."""
        state: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "done": self.done,
            "seconds": self.earlier_s + time.perf_counter() - self.started,
            "curves": self.curves,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": _plain(self.scheduler.state_dict()),
            "rng": torch.get_rng_state(),
        }
        if torch.cuda.is_available():
            state["rng_cuda"] = torch.cuda.get_rng_state_all()
        return state

    def resume(self) -> bool:
        """Take up the newest checkpoint of this run; return whether there was one."""
        state = load_checkpoint(self.checkpoint, self.fingerprint) if self.checkpoint else None
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"])
        if "rng_cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["rng_cuda"])
        self.done, self.curves = state["done"], state["curves"]
        # A checkpoint from before there was a clock counts from here.
        self.earlier_s = state.get("seconds", 0.0)
        return True


def keep_freed_memory() -> None:
    """Ask the C library to keep freed buffers of up to 32 MB for the next step.

    By default glibc gives them back to the system, and every chunk of pixels pays for fresh
    pages: a third of the time of a bf16 step. Elsewhere than on glibc nothing happens.
    """
    mmap_threshold, top_pad, trim_threshold = -3, -2, -1  # malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for option, size in ((mmap_threshold, 2**25), (top_pad, 2**28), (trim_threshold, 2**30)):
        mallopt(option, size)


def train(
    run: TrainingRun,
    gradients: Callable[[], LossTerms],
    *,
    title: str = "training",
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Run the iterations that are left and return the curves.

    Parameters
    ----------
    run : TrainingRun
        Resumed from its checkpoint where there is one.
    gradients : callable
        Computes one iteration's loss terms and leaves the gradients in the parameters.
    title : str
        Shown before the progress bar.
    progress : bool
        Show a bar with the loss and the time left.

    Returns
    -------
    dict of ndarray
        ``iteration``, one array per loss term and per watched value, at every ``log_every``-th
        iteration.

    Raises
    ------
    ParameterError
        If the loss stops being finite: the last checkpoint is kept.
    RecordError
        If the checkpoint belongs to another run or cannot be written.
    """
    run.resume()
    for iteration in _bar(run, title, progress):
        run.optimizer.zero_grad(set_to_none=True)
        terms = gradients()
        run.optimizer.step()
        run.scheduler.step()
        if run.project is not None:
            run.project()
        run.done = iteration + 1
        if run.done % run.log_every == 0 or run.done == run.iterations:
            _log(run, terms)
        if run.checkpoint and (run.done % run.checkpoint_every == 0 or run.done == run.iterations):
            _total(run, terms)  # weights that are no numbers replace no good checkpoint
            save_checkpoint(run.state(), run.checkpoint)
    return {name: np.asarray(values, dtype=np.float64) for name, values in run.curves.items()}


def _log(run: TrainingRun, terms: LossTerms) -> None:
    values, total = _total(run, terms)
    seen = run.watch() if run.watch is not None else {}
    for name, value in {"iteration": float(run.done), "loss": total, **values, **seen}.items():
        run.curves.setdefault(name, []).append(value)


def _total(run: TrainingRun, terms: LossTerms) -> tuple[dict[str, float], float]:
    values = {name: float(term) for name, term in terms.items()}
    total = sum(values.values())
    if not np.isfinite(total):
        raise ParameterError(
            f"The loss is {total} at iteration {run.done}.",
            terms=", ".join(f"{name}={value:.4g}" for name, value in values.items()),
            next_step="lower the learning rate; the last checkpoint is kept",
        )
    return values, total


def _bar(run: TrainingRun, title: str, progress: bool) -> Iterator[int]:
    from tqdm import tqdm

    left = range(run.done, run.iterations)
    bar = tqdm(
        left,
        initial=run.done,
        total=run.iterations,
        desc=title,
        disable=not progress,
        mininterval=2.0,
    )
    for iteration in bar:
        yield iteration
        if "loss" in run.curves:
            bar.set_postfix(loss=f"{run.curves['loss'][-1]:.4g}", refresh=False)


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Keep what ``weights_only`` loading allows: a schedule's functions are code, not state."""
    return {k: v for k, v in state.items() if k != "lr_lambdas"} | {
        "lr_lambdas": [None] * len(state.get("lr_lambdas", ()))
    }
