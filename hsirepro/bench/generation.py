"""What drawing tiles costs, by sampler and steps, and a step of training."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache

import torch

from hsirepro.generation.diffusion import Solver, denoising_loss
from hsirepro.generation.hud import HUD, PRESETS
from hsirepro.unmixing.autoencoder import UnmixingAutoencoder

BANDS, ENDMEMBERS, SIDE, COUNT = 102, 9, 32, 64
WAYS: tuple[tuple[Solver, int], ...] = (
    ("dpm-solver++", 10),
    ("dpm-solver++", 25),
    ("dpm-solver++", 50),
    ("ddim", 50),
)
ROUNDS = 3


@cache
def model() -> HUD:
    """Return a model as the ``quick`` profile trains it; time does not ask for its weights."""
    torch.manual_seed(0)
    plan = PRESETS["small"]
    made = HUD(
        bands=BANDS,
        size=SIDE,
        endmembers=ENDMEMBERS,
        encoder="fcls",
        layout=plan.layout.plain(),
        schedule=asdict(plan.schedule),
    )
    made.autoencoder = UnmixingAutoencoder(torch.rand(BANDS, ENDMEMBERS), "fcls")
    return made


def drawing(solver: Solver, steps: int) -> float:
    """Return the seconds of drawing the tiles."""
    start = time.perf_counter()
    model().sample(COUNT, solver=solver, steps=steps)
    return time.perf_counter() - start


def training() -> float:
    """Return the seconds of a step of the optimiser."""
    net, plan = model().net, PRESETS["small"]
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    maps = torch.randn(plan.batch, ENDMEMBERS, SIDE, SIDE)
    start = time.perf_counter()
    denoising_loss(net, maps, plan.schedule)[plan.schedule.predicts].backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return time.perf_counter() - start


def report(threads: int) -> None:
    """Print seconds, the best of some rounds taken in turn."""
    torch.set_num_threads(threads)
    weights = sum(weight.numel() for weight in model().net.parameters())
    print(
        f"\nHUD, small network of {weights / 1e6:.2f} M weights, {ENDMEMBERS} endmembers, "
        f"{BANDS} bands, {threads} threads"
    )
    training()
    rounds = [(training(), *(drawing(*way) for way in WAYS)) for _ in range(ROUNDS)]
    step, *drawn = (min(times) for times in zip(*rounds, strict=True))
    print(f"  training, a step of {PRESETS['small'].batch} tiles       {step:7.2f} s")
    for (solver, steps), seconds in zip(WAYS, drawn, strict=True):
        name = f"{COUNT} tiles of {SIDE}x{SIDE}, {solver} {steps}"
        print(f"  {name:<40} {seconds:7.2f} s", flush=True)
