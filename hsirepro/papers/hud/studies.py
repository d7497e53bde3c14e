"""What HUD's paper leaves open: whether a model copies, and how many steps it needs.

*Halves.* The paper learns from a scene and judges on the same scene, where nobody can tell a model
that draws new tiles from one that has learned tiles by heart. Here a model sees one half of the
scene only, and is held against both. One that copies is nearer to the half that it saw; real tiles
of the other half show how near a tile has to be that nobody copied.

*Samplers.* The paper goes back from noise in a thousand steps. Solvers of the same equation need
fewer: how few, until the tiles are worse?
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.generation import Fitted, Patches
from hsirepro.generation.diffusion import Solver
from hsirepro.metrics.distribution import block_diversity
from hsirepro.papers.hud.recording import Judge
from hsirepro.records import Record, RecordKey

UNSEEN, REAL = ", unseen half", ", real tiles of the unseen half"
DRAWS = 3  # of each sampler: what the spread is taken over


@dataclass(frozen=True)
class Sampler:
    """A way from noise to tiles."""

    solver: Solver
    steps: int

    def __str__(self) -> str:
        return f"{self.solver} {self.steps}"


SAMPLED = (
    Sampler("ancestral", 1000),
    *(Sampler(solver, n) for solver in ("ddim", "dpm-solver++") for n in (100, 50, 20, 10)),
)


@dataclass(frozen=True)
class Halves:
    """Two halves of an image, cut across its longer side, shape (L, H, W) each."""

    seen: Tensor
    unseen: Tensor


def halves_of(image: Tensor, size: int) -> Halves:
    """Cut an image, shape (L, H, W), across its longer side.

    Parameters
    ----------
    image : Tensor
    size : int
        Rows and columns of the tiles that each half has to hold.

    Raises
    ------
    ParameterError
        If a half is smaller than a tile.

    Examples
    --------
    >>> [tuple(half.shape) for half in vars(halves_of(torch.rand(3, 9, 5), 4)).values()]
    [(3, 4, 5), (3, 5, 5)]
    """
    axis = 1 if image.shape[1] >= image.shape[2] else 2
    middle = image.shape[axis] // 2
    if min(middle, image.shape[3 - axis]) < size:
        rows, columns = image.shape[1:]
        raise ParameterError(
            f"Half of {rows} x {columns} pixels does not hold a tile of {size} x {size}.",
            next_step=f"take a scene whose longer side has {2 * size} pixels or more",
        )
    rest = image.shape[axis] - middle
    return Halves(image.narrow(axis, 0, middle), image.narrow(axis, middle, rest))


def halves_scores(tiles: Tensor, judge: Judge, halves: Halves) -> dict[str, float]:
    """Hold tiles, shape (n, L, size, size), against the half that was seen and the other.

    Returns
    -------
    dict
        The scores against the seen half by their names, those against the other with ``UNSEEN``,
        and with ``REAL`` the block diversity of as many real tiles of the unseen half, held against
        the seen one: what no copying gives.
    """
    seen, unseen = judge.scores(tiles, halves.seen), judge.scores(tiles, halves.unseen)
    generator = torch.Generator().manual_seed(0)
    real = Patches([halves.unseen], judge.size).draw(len(tiles), generator)
    name = "BlockDiversity"
    found = {**seen, **{f"{metric}{UNSEEN}": value for metric, value in unseen.items()}}
    return found | {f"{name}{REAL}": block_diversity(real, halves.seen, reading="pixelwise")}


def sampler_record(
    key: RecordKey, fitted: Fitted, judge: Judge, sources: Mapping[str, object], count: int
) -> Record:
    """Draw tiles by every sampler and return the record of how good they are, and how dear.

    Parameters
    ----------
    key : RecordKey
    fitted : Fitted
        Of a diffusion model.
    judge : Judge
    sources : mapping
        Provenance of the training.
    count : int
        Tiles of a draw.

    Returns
    -------
    Record
        Arrays, shape (samplers, draws), one per metric and ``seconds per tile``; the metrics are
        their means, each named with its sampler. The setting ``samplers`` names the rows.
    """
    found: dict[str, list[list[float]]] = {}
    for sampler in SAMPLED:
        runs = []
        for seed in range(DRAWS):
            started = time.perf_counter()
            how: dict[str, Any] = {"solver": sampler.solver, "steps": sampler.steps}
            tiles = fitted.model.sample(count, seed=seed, **how).tiles
            seconds = (time.perf_counter() - started) / count
            runs.append({**judge.scores(tiles), "seconds per tile": seconds})
        for name in runs[0]:
            found.setdefault(name, []).append([run[name] for run in runs])
    arrays = {name: np.asarray(values) for name, values in found.items()}
    metrics = {
        f"{name}, {sampler}": float(np.mean(arrays[name][row]))
        for name in arrays
        for row, sampler in enumerate(SAMPLED)
    }
    settings = {"samplers": [str(one) for one in SAMPLED], "tiles": count, **fitted.settings}
    return Record(key, metrics, fitted.curves, arrays, {}, settings, sources)
