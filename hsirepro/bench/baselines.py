"""Time the fusion methods that HyCoNet is compared with, and what of it is matrix product."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
from torch.profiler import ProfilerActivity, profile

from hsirepro.bench.memory import peak_mb
from hsirepro.fusion import fuse
from hsirepro.optics import Degraded, planted_pair
from hsirepro.papers.hyconet import TABLE_METHODS

SIZE, RATIO = 128, 8
NM = tuple(np.linspace(380.0, 1050.0, 48))  # the bands of the Houston crop
CLOSED_FORM = ("fuse", "glp-hs", "gsa", "mapsmm", "sfim-hs")
PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "convolution", "linear")


@lru_cache(maxsize=1)
def pair() -> Degraded:
    """Return the planted pair that all methods fuse."""
    return planted_pair(size=SIZE, ratio=RATIO, sigma=0.5, wavelengths=np.array(NM)).pair


def run(name: str) -> None:
    """Fuse the planted pair once with its defaults."""
    p = pair()
    fuse(name, p.hsi, p.msi, ratio=RATIO, srf=p.srf, psf=p.psf, scale=1.0)


def share_of_products(name: str) -> float:
    """Return the share of the processor's time that is spent inside matrix products of torch."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run(name)
    spent = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    names = {f"aten::{product}" for product in PRODUCTS} | {"aten::mkldnn_convolution"}
    return float(sum(spent.get(key, 0.0) for key in names) / max(sum(spent.values()), 1.0))


def report(threads: int) -> None:
    """Print seconds, the share of matrix products and the peak of every baseline."""
    pair()
    print(
        f"\nBaselines, {SIZE // RATIO}x{SIZE // RATIO} / {SIZE}x{SIZE} x {len(NM)} bands, "
        f"{threads} threads, one run each; share: time in torch that is matrix product"
    )
    total = 0.0
    for name in TABLE_METHODS[:-1]:
        start = time.perf_counter()
        run(name)
        taken = time.perf_counter() - start
        total += taken
        peak = peak_mb("hsirepro.bench.baselines", f"run({name!r})")
        kind = "closed form" if name in CLOSED_FORM else "iterative"
        share = share_of_products(name) if taken < 60 else float("nan")
        print(f"  {name:<9} {kind:<12} {taken:7.2f} s, share {share:4.0%}, peak {peak:5.0f} MB")
    print(f"  all ten   {'':<12} {total:7.2f} s")
