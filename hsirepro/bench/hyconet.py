"""Time the HyCoNet training step, whole image and in chunks, fp32 and bf16."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch

from hsirepro.bench.memory import peak_mb
from hsirepro.fusion.hyconet import accumulate
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.fusion.hyconet_presets import configure
from hsirepro.training import keep_freed_memory

PIXELS, BANDS, MSI_BANDS, RATIO = (84, 84), 103, 3, 4  # Pavia University, section IV of the paper
COVERAGE = [(4, 23), (20, 43), (47, 61)]  # of Landsat 8 blue, green, red on its 103 bands
VARIANTS: dict[str, dict[str, Any]] = {
    "fp32, whole image": {"chunk_pixels": 0},
    "fp32, chunks": {},
    "bf16, whole image": {"precision": "bf16", "chunk_pixels": 0},
    "bf16, chunks": {"precision": "bf16"},
}


def step(height: int, width: int, **settings: Any) -> Callable[[], object]:
    """Return a function that computes the gradients of one HyCoNet iteration.

    Parameters
    ----------
    height, width : int
        Hyperspectral pixels.
    **settings
        Fields of the configuration to change.
    """
    keep_freed_memory()
    torch.manual_seed(0)
    config = configure("paper", **settings)
    net = HyCoNet(BANDS, MSI_BANDS, RATIO, COVERAGE, config)
    low = torch.rand(height * width, BANDS)
    high = torch.rand(height * width, RATIO**2, MSI_BANDS)
    autocast = partial(torch.autocast, "cpu", torch.bfloat16)

    def run() -> object:
        net.zero_grad()
        return accumulate(
            net, low, high, autocast=autocast if config.precision == "bf16" else nullcontext
        )

    return run


def times(rounds: int) -> dict[str, list[float]]:
    """Time every variant in turn, ``rounds`` times after a warm-up; sorted seconds."""
    steps = {name: step(*PIXELS, **settings) for name, settings in VARIANTS.items()}
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, run in steps.items():
            start = time.perf_counter()
            run()
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: sorted(values) for name, values in taken.items()}


def peak_memory_mb(height: int, width: int, **settings: Any) -> float:
    """Return the peak memory of one step; MB (10^6 bytes)."""
    return peak_mb("hsirepro.bench.hyconet", f"step({height}, {width}, **{settings!r})()")


def report(rounds: int, threads: int) -> None:
    """Print the table of times, ratios and peaks."""
    height, width = PIXELS
    print(
        f"HyCoNet step, {height}x{width} / {height * RATIO}x{width * RATIO} x {BANDS} bands, "
        f"p = 100, {threads} threads, {rounds} rounds"
    )
    taken = times(rounds)
    base = taken["fp32, whole image"]
    for name, values in taken.items():
        middle = len(values) // 2
        peak = peak_memory_mb(height, width, **VARIANTS[name])
        print(
            f"  {name:<18} median {values[middle]:.3f} s (min {values[0]:.3f}), "
            f"x{base[middle] / values[middle]:.1f}, peak {peak:.0f} MB"
        )
    images = height * width * (BANDS + RATIO**2 * MSI_BANDS) * 4 / 1e6
    four = peak_memory_mb(2 * height, 2 * width)
    print(
        f"  four times the pixels, fp32 in chunks: peak {four:.0f} MB; "
        f"the images themselves grow by {3 * images:.0f} MB"
    )
