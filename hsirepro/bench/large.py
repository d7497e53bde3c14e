"""What every fusion method takes on a large pair: 1000 x 1000 pixels, 100 bands, ratio 8.

The pair is made without the cube that it comes from: blur and response are linear, so they act on
the few abundance maps instead.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from hsirepro.bench.memory import cost
from hsirepro.fusion import METHODS, PRESETS, WHOLE_IMAGE, fuse
from hsirepro.optics import (
    PointSpread,
    SpectralResponse,
    add_noise,
    gaussian_kernel,
    landsat8_oli,
    upsample,
)
from hsirepro.scenes import make_cube

SIZE, RATIO, SIGMA = 1000, 8, 2.0
NM = np.linspace(430.0, 860.0, 100)
MATERIALS, GRAIN = 6, 20  # pixels of the MSI between two independent abundances
SNR_DB = 35.0  # of the HSI: without noise its rank, and so the number of maps, would be small
# Iterative methods run a fraction of what is planned: memory is that of the first iteration.
FRACTION = {"cnmf": 100, "hysure": 100, "lanaras": 200, "usdn": 100, "hyconet": 10_000}


class Pair(NamedTuple):
    """What :func:`hsirepro.fusion.fuse` takes."""

    hsi: xr.DataArray
    msi: xr.DataArray
    srf: SpectralResponse
    psf: PointSpread


@lru_cache(maxsize=1)
def pair() -> Pair:
    """Return the pair; memory for a few maps is all that it takes."""
    rng = torch.Generator().manual_seed(0)
    shares = torch.rand(MATERIALS, SIZE // GRAIN, SIZE // GRAIN, generator=rng).pow(4)
    shares = upsample(shares / shares.sum(dim=0), GRAIN).clamp_min_(0.0)
    waves = torch.rand(MATERIALS, 1, generator=rng) * torch.linspace(1.0, 9.0, len(NM))
    spectra = 0.4 + 0.3 * torch.sin(torch.arange(MATERIALS)[:, None] + waves).T
    srf, psf = landsat8_oli(NM), PointSpread(gaussian_kernel(RATIO, SIGMA), RATIO)
    hsi = torch.tensordot(spectra, psf(shares), dims=1)
    msi = torch.tensordot(srf.matrix @ spectra, shares, dims=1)
    return Pair(
        add_noise(make_cube(hsi.permute(1, 2, 0).numpy(), NM), SNR_DB, 1),
        make_cube(msi.permute(1, 2, 0).numpy(), srf.centres),
        srf,
        psf,
    )


def planned(name: str) -> dict[str, int]:
    """Return the numbers of iterations that a method runs by default."""
    if name == "hyconet":
        return {"iterations": PRESETS["paper"].iterations}
    options = inspect.signature(METHODS[name]).parameters
    return {key: options[key].default for key in options if key.endswith("iterations")}


def run(name: str, threads: int, times: int = 1) -> None:
    """Fuse the pair; an iterative method runs ``times`` the fraction of its iterations."""
    torch.set_num_threads(threads)
    p = pair()
    short: dict[str, Any] = {}
    if name in FRACTION:
        short = {key: max(times * n // FRACTION[name], 1) for key, n in planned(name).items()}
    fuse(name, p.hsi, p.msi, ratio=RATIO, srf=p.srf, psf=p.psf, scale=1.0, **short)


def report(threads: int) -> None:
    """Print how every method holds the image, its seconds and its peak."""
    alone = cost(__name__, "__name__", before="pair()").peak_mb
    print(
        f"\nLarge pair, {SIZE // RATIO}x{SIZE // RATIO} / {SIZE}x{SIZE} x {len(NM)} bands, "
        f"{threads} threads; answer {SIZE**2 * len(NM) * 4 / 1e6:.0f} MB, held twice in the end; "
        f"pair and libraries {alone:.0f} MB"
    )
    for name in METHODS:
        kind = "whole image" if name in WHOLE_IMAGE else "tiles"
        once = cost(__name__, f"run({name!r}, {threads})", before="pair()")
        time = f"{once.seconds:8.1f} s"
        if name in FRACTION:
            twice = cost(__name__, f"run({name!r}, {threads}, times=2)", before="pair()").seconds
            rest = (FRACTION[name] - 1) * max(twice - once.seconds, 0.0)
            time = f"{once.seconds + rest:8.0f} s (estimate from two runs of few iterations)"
        print(f"  {name:<14} {kind:<11} peak {once.peak_mb:5.0f} MB  {time}", flush=True)
