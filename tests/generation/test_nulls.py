"""Null models: each lacks exactly what it is said to lack."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.generation import METHODS, Patches

NULLS = ("null-tiles", "null-unmixed", "null-shuffled", "null-mixtures", "null-flat")


def scene() -> torch.Tensor:
    """Return a smooth mixture of three spectra, shape (6, 15, 17)."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(6, 3, generator=generator) + 0.1
    rough = torch.randn(1, 3, 4, 4, generator=generator)
    fields = torch.nn.functional.interpolate(rough, (15, 17), mode="bicubic")[0]
    image: torch.Tensor = torch.einsum("lp,phw->lhw", corners, (9 * fields).softmax(dim=0))
    return image


def drawn(name: str, count: int = 5, **how: Any) -> Any:
    """Return tiles of a null model of the scene."""
    settings = {"endmembers": 3} if name in ("null-mixtures", "null-unmixed") else {}
    return METHODS[name](Patches([scene()], 5), **settings).model.sample(count, **how)


def test_copied_tiles_are_somewhere_in_the_scene() -> None:
    """Every tile equals the scene at some position."""
    everywhere = Patches([scene()], 5).at(range(11 * 13))
    for tile in drawn("null-tiles").tiles:
        assert bool((everywhere == tile).all(dim=(1, 2, 3)).any())


def test_unmixed_tiles_are_real_ones_as_far_as_endmembers_go() -> None:
    """Of a scene of three spectra, three endmembers give back its tiles, and two do not."""
    patches = Patches([scene()], 5)
    errors = []
    for endmembers in (2, 3):
        model = METHODS["null-unmixed"](patches, endmembers=endmembers).model
        tiles, real = model.sample(9, seed=3).tiles, drawn("null-tiles", count=9, seed=3).tiles
        errors.append(float((tiles - real).norm() / real.norm()))
    assert errors[1] < 0.05 < errors[0]


def test_shuffled_pixels_are_real_and_out_of_place() -> None:
    """Every pixel is one of the scene's, and neighbours are no more alike than strangers."""
    tiles = drawn("null-shuffled", count=20).tiles
    pixels = tiles.transpose(0, 1).flatten(1).T
    real = scene().flatten(1).T
    assert all(bool((real == pixel).all(dim=1).any()) for pixel in pixels)
    rough = float(tiles.diff(dim=-1).square().mean() / tiles.var(dim=(0, 2, 3)).mean())
    assert rough == pytest.approx(2.0, rel=0.15)  # of independent neighbours


def test_mixtures_lie_on_the_simplex_and_are_uniform() -> None:
    """Abundances are not negative, sum to one, and each averages one p-th."""
    samples = drawn("null-mixtures", count=200)
    assert float(samples.abundances.min()) >= 0
    assert torch.allclose(samples.abundances.sum(dim=1), torch.ones(200, 5, 5), atol=1e-6)
    means = samples.abundances.mean(dim=(0, 2, 3))
    assert torch.allclose(means, torch.full((3,), 1 / 3), atol=0.02)
    # Uniform on a simplex of three corners: the variance of a share is 1 / 18.
    assert float(samples.abundances.var()) == pytest.approx(1 / 18, rel=0.05)


def test_flat_tiles_are_one_grey_of_the_mean_level() -> None:
    """No band and no pixel differs from another."""
    tiles = drawn("null-flat").tiles
    assert torch.equal(tiles, tiles[0, 0, 0, 0].expand(tiles.shape))
    assert float(tiles[0, 0, 0, 0]) == pytest.approx(float(scene().mean()), rel=1e-5)


@pytest.mark.parametrize("name", NULLS)
def test_tiles_of_another_size(name: str) -> None:
    """A null model draws any size that the scene has."""
    assert drawn(name, size=7).tiles.shape == (5, 6, 7, 7)


@pytest.mark.parametrize("name", NULLS)
def test_ways_of_drawing_are_refused(name: str) -> None:
    """A null has none."""
    with pytest.raises(ParameterError, match="no way 'steps'"):
        drawn(name, steps=3)
