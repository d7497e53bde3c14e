"""Real tiles, damaged more and more, to find out which metric sees what.

A metric of generated tiles should be best for real tiles, and worse the more is wrong with them.
Here everything that is wrong is known. Each damage has a strength from 0, real tiles as they are,
to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hsirepro.generation import Patches
from hsirepro.records import Meter, Record, RecordKey, provenance

if TYPE_CHECKING:
    from hsirepro.papers.hud.recording import Judge

STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0)
SEED = 1  # of the tiles: not those that the features of FID come from

Damage = Callable[[Tensor, float, torch.Generator], Tensor]


def shuffled(tiles: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Give that share of the pixels other places: every spectrum is real, the texture is gone."""
    pixels = tiles.transpose(0, 1).flatten(1).clone()
    count = round(strength * pixels.shape[1])
    places = torch.randperm(pixels.shape[1], generator=generator)[:count]
    pixels[:, places] = pixels[:, places[torch.randperm(count, generator=generator)]]
    return pixels.reshape(tiles.shape[1], len(tiles), *tiles.shape[2:]).transpose(0, 1)


def noisy(tiles: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add noise to every value, with that share of the tiles' deviation; none below 0 remains."""
    noise = torch.randn(tiles.shape, generator=generator)
    return (tiles + strength * tiles.std() * noise).clamp_min(0.0)


def brighter(tiles: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Raise the level of every spectrum by that share of itself."""
    return (1.0 + strength) * tiles


def faded(tiles: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Go that far from every pixel to the mean of its tile."""
    return torch.lerp(tiles, tiles.mean(dim=(2, 3), keepdim=True).expand_as(tiles), strength)


def collapsed(tiles: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Replace that share of the tiles by copies of the first: a generator that draws one thing."""
    left = tiles.clone()
    left[: round(strength * len(tiles))] = tiles[:1]
    return left


DAMAGES: Mapping[str, Damage] = MappingProxyType(
    {
        "shuffled": shuffled,
        "noisy": noisy,
        "brighter": brighter,
        "faded": faded,
        "collapsed": collapsed,
    }
)


def damage_record(key: RecordKey, judge: Judge, count: int) -> Record:
    """Damage real tiles with every strength, and return the record of their scores.

    Parameters
    ----------
    key : RecordKey
        Its method is a key of :data:`DAMAGES`.
    judge : Judge
    count : int
        Tiles.

    Returns
    -------
    Record
        Arrays by metric, shape (5,), and ``strength``; the metrics are those of full strength.
    """
    generator = torch.Generator().manual_seed(SEED + key.seed)
    tiles = Patches([judge.image], judge.size).draw(count, generator)
    with Meter() as meter:
        rows = [
            judge.scores(DAMAGES[key.method](tiles, strength, generator.manual_seed(SEED)))
            for strength in STRENGTHS
        ]
    arrays = {metric: np.array([row[metric] for row in rows]) for metric in rows[0]}
    sources = provenance(
        seed=key.seed,
        data_sha256=str(judge.cube.attrs["sha256"]),
        wall_time_s=meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device="cpu",
    )
    settings = {"tiles": count, "size": judge.size}
    return Record(
        key, rows[-1], {}, arrays | {"strength": np.array(STRENGTHS)}, {}, settings, sources
    )
