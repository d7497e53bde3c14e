"""Time the fusion methods that HyCoNet is compared with, and what of it is matrix product."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np
from torch.utils._python_dispatch import TorchDispatchMode

from hsirepro.bench.memory import peak_mb
from hsirepro.fusion import fuse
from hsirepro.optics import Degraded, planted_pair
from hsirepro.papers.hyconet import TABLE_METHODS

SIZE, RATIO = 128, 8
NM = tuple(np.linspace(380.0, 1050.0, 48))  # the bands of the Houston crop
CLOSED_FORM = ("fuse", "glp-hs", "gsa", "mapsmm", "sfim-hs")
PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot"})
CONVOLUTIONS = frozenset({"convolution", "convolution_backward"})


@lru_cache(maxsize=1)
def pair() -> Degraded:
    """Return the planted pair that all methods fuse."""
    return planted_pair(size=SIZE, ratio=RATIO, sigma=0.5, wavelengths=np.array(NM)).pair


def run(name: str) -> None:
    """Fuse the planted pair once with its defaults."""
    p = pair()
    fuse(name, p.hsi, p.msi, ratio=RATIO, srf=p.srf, psf=p.psf, scale=1.0)


class ProductTimer(TorchDispatchMode):
    """Adds up the seconds inside matrix products of torch, the backward pass included.

    The profiler of torch would keep every operation until the end: gigabytes for a method that
    trains.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: float = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation, and time it if it is a product."""
        if func.overloadpacket.__name__ not in PRODUCTS | CONVOLUTIONS:
            return func(*args, **(kwargs or {}))
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        self.seconds += time.perf_counter() - start
        return result


def seconds_taken(name: str) -> float:
    """Fuse and return the seconds; a short run is timed again, now that all is loaded."""
    taken: list[float] = []
    while len(taken) < 2 and sum(taken) < 5:
        start = time.perf_counter()
        run(name)
        taken.append(time.perf_counter() - start)
    return min(taken)


def seconds_in_products(name: str) -> float:
    """Fuse once more, which the timer slows down, and return the seconds inside products."""
    timer = ProductTimer()
    with timer:
        run(name)
    return timer.seconds


def report(threads: int) -> None:
    """Print seconds, the share of matrix products and the peak of every baseline."""
    pair()
    print(
        f"\nBaselines, {SIZE // RATIO}x{SIZE // RATIO} / {SIZE}x{SIZE} x {len(NM)} bands, "
        f"{threads} threads; share: of the time, in matrix products of torch"
    )
    total = 0.0
    for name in TABLE_METHODS[:-1]:
        taken = seconds_taken(name)
        total += taken
        peak = peak_mb("hsirepro.bench.baselines", f"run({name!r})")
        kind = "closed form" if name in CLOSED_FORM else "iterative"
        share = seconds_in_products(name) / taken
        print(
            f"  {name:<9} {kind:<12} {taken:7.2f} s, share {share:4.0%}, peak {peak:5.0f} MB",
            flush=True,
        )
    print(f"  all ten   {'':<12} {total:7.2f} s")
