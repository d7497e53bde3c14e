"""What point fidelity costs beside its matrix product, and what block diversity costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from hsirepro.bench.memory import cost
from hsirepro.metrics.correlation import READINGS, Reading
from hsirepro.metrics.distribution import block_diversity, point_fidelity

BANDS, TILE = 102, 32
SMALL = (16, 320, 320)  # tiles, and height and width of the scene
LARGE = (64, 1096, 715)  # Pavia Centre
_BLOCK = 1024  # rows and columns of the product that is timed alone


@cache
def images(tiles: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return generated tiles and a real scene of random spectra."""
    rng = torch.Generator().manual_seed(0)
    return (
        torch.rand(tiles, BANDS, TILE, TILE, generator=rng),
        torch.rand(BANDS, height, width, generator=rng),
    )


def fidelity(size: tuple[int, int, int], threads: int) -> None:
    """Compute point fidelity."""
    torch.set_num_threads(threads)
    point_fidelity(*images(*size))


def diversity(size: tuple[int, int, int], threads: int, reading: Reading) -> None:
    """Compute block diversity."""
    torch.set_num_threads(threads)
    block_diversity(*images(*size), reading=reading)


def products(size: tuple[int, int, int]) -> None:
    """Multiply as many pixels with each other, and look at no product."""
    tiles, height, width = size
    rows = torch.rand(tiles * TILE**2, BANDS)
    columns = torch.rand(_BLOCK, BANDS)
    room = torch.empty(_BLOCK, _BLOCK)
    for _ in range(round(height * width / _BLOCK)):
        for start in range(0, len(rows), _BLOCK):
            torch.mm(rows[start : start + _BLOCK], columns.T, out=room)


def seconds(call: Callable[[], None]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(threads: int, large: bool = False) -> None:
    """Print seconds, the ratio to the matrix product alone, and peaks."""
    size = LARGE if large else SMALL
    tiles, height, width = size
    images(*size)
    print(
        f"\nGenerated against real, {tiles} tiles of {TILE}x{TILE} / {height}x{width} x {BANDS} "
        f"bands, {threads} threads; the scene is {4e-6 * BANDS * height * width:.0f} MB"
    )
    # In turn, and the best of each, as other work on the machine only ever adds.
    taken = [
        (seconds(lambda: products(size)), seconds(lambda: fidelity(size, threads)))
        for _ in range(1 if large else 5)
    ]
    alone, whole = (min(times) for times in zip(*taken, strict=True))
    rate = 2e-9 * BANDS * tiles * TILE**2 * height * width / alone
    before = f"images{size}"
    peak = cost(__name__, f"fidelity({size}, {threads})", before=before).peak_mb
    print(
        f"  point fidelity              {whole:7.2f} s, matrix product alone {alone:7.2f} s "
        f"({rate:.0f} GFLOP/s), x{whole / alone:.2f}, peak {peak:.0f} MB",
        flush=True,
    )
    for reading in READINGS:
        once = cost(__name__, f"diversity({size}, {threads}, {reading!r})", before=before)
        print(
            f"  block diversity, {reading:<10} {once.seconds:7.2f} s, peak {once.peak_mb:.0f} MB",
            flush=True,
        )
