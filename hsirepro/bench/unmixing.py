"""Time fully constrained least squares beside a loop of SciPy's NNLS over the pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from hsirepro.bench.memory import peak_mb
from hsirepro.scenes.materials import DEFAULT_MATERIALS, endmember_spectra
from hsirepro.unmixing import fcls

PIXELS, LARGE = 200_000, 1_000_000
ENDMEMBERS, BANDS = 9, 102
SNR_DB = 30.0
CHUNK = 8192
SAMPLE = 2000  # pixels of the loop; the rest is extrapolated
WEIGHT = 1e3  # of the row that brings the sum to one in the loop
ROUNDS = 3


@lru_cache(maxsize=1)
def problem(number: int) -> tuple[Tensor, Tensor]:
    """Return pixels (L, N), float32, and endmembers (L, p) that mix in all proportions."""
    rng = torch.Generator().manual_seed(0)
    spectra = endmember_spectra(DEFAULT_MATERIALS[:ENDMEMBERS], np.linspace(430.0, 860.0, BANDS))
    endmembers = torch.from_numpy(spectra.T.copy())
    pixels = torch.empty(BANDS, number)
    for part in torch.split(pixels, CHUNK, dim=1):
        shares = -torch.rand(ENDMEMBERS, part.shape[1], generator=rng).clamp_min(1e-9).log()
        part.copy_(endmembers.float() @ (shares / shares.sum(dim=0)))
        part.add_(
            float(part.square().mean().sqrt())
            / 10 ** (SNR_DB / 20)
            * torch.randn(part.shape, generator=rng)
        )
    return pixels, endmembers


def products(number: int) -> None:
    """Multiply what no method gets around: the endmembers by the pixels, in float64."""
    pixels, endmembers = problem(number)
    for part in torch.split(pixels, CHUNK, dim=1):
        endmembers.T @ part.double()


def loop(number: int) -> Tensor:
    """Solve the first pixels one by one; the sum to one is a heavy row."""
    from scipy.optimize import nnls

    pixels, endmembers = problem(number)
    system = np.vstack([endmembers.numpy(), np.full((1, ENDMEMBERS), WEIGHT)])
    columns = pixels[:, :SAMPLE].T.double().numpy()
    return torch.from_numpy(
        np.stack([nnls(system, np.append(pixel, WEIGHT))[0] for pixel in columns], axis=1)
    )


def run(number: int, threads: int) -> Tensor:
    """Solve all pixels."""
    torch.set_num_threads(threads)
    return fcls(*problem(number))


def report(threads: int, number: int = PIXELS) -> None:
    """Print seconds, microseconds per pixel, ratios and the peak, with one thread and with more."""
    pixels, _ = problem(number)
    print(
        f"\nFCLS, {ENDMEMBERS} endmembers, {BANDS} bands, {number} pixels at {SNR_DB:.0f} dB "
        f"({pixels.nbytes / 1e6:.0f} MB); best of {ROUNDS} rounds in turn"
    )
    works: dict[str, Callable[[], object]] = {
        "loop of SciPy's nnls": lambda: loop(number),
        "matrix product, 1 thread": lambda: products(number),
        "FCLS, 1 thread": lambda: run(number, 1),
    }
    if threads > 1:
        works[f"FCLS, {threads} threads"] = lambda: run(number, threads)
    taken = {name: float("inf") for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            torch.set_num_threads(1)
            start = time.perf_counter()
            work()
            taken[name] = min(taken[name], time.perf_counter() - start)
    torch.set_num_threads(threads)
    slow = taken.pop("loop of SciPy's nnls") / min(SAMPLE, number)
    print(
        f"  loop of SciPy's nnls      {slow * number:7.1f} s, {1e6 * slow:6.2f} us/pixel, "
        f"1 thread (extrapolated from {min(SAMPLE, number)} pixels)"
    )
    for name, seconds in taken.items():
        print(
            f"  {name:<25} {seconds:7.2f} s, {1e6 * seconds / number:6.2f} us/pixel, "
            f"x{slow * number / seconds:.1f}"
        )
    apart = float((run(number, 1)[:, :SAMPLE] - loop(number)).abs().max())
    torch.set_num_threads(threads)
    peak = peak_mb(__name__, f"run({number}, 1)")
    answer = ENDMEMBERS * number * 8 / 1e6
    print(
        f"  the loop and FCLS differ by {apart:.0e} at most; peak {peak:.0f} MB, of which pixels "
        f"{pixels.nbytes / 1e6:.0f} and abundances {answer:.0f}"
    )
