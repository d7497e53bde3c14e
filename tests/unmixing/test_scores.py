"""Angles and abundance errors after the best one-to-one match."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from hsirepro.errors import PixelError, ShapeError
from hsirepro.metrics import sam
from hsirepro.unmixing import abundance_rmse, match_endmembers

RNG = np.random.default_rng(0)


def spectra(count: int, bands: int = 20) -> torch.Tensor:
    return torch.from_numpy(RNG.random((bands, count)))


def test_shuffled_endmembers_are_put_in_order():
    """Any order and any brightness: partners are found, at no angle."""
    reference = spectra(6)
    order = torch.from_numpy(RNG.permutation(6))
    bright = torch.from_numpy(RNG.uniform(0.1, 10.0, 6))
    found, angles = match_endmembers((reference * bright)[:, order], reference)
    assert torch.equal(order[found], torch.arange(6))
    assert angles.max() < 1e-6


def test_the_match_has_the_smallest_sum_of_angles():
    """No other one-to-one match is better, where the nearest ones collide, too."""
    for _ in range(20):
        estimated, reference = spectra(5, 4), spectra(4, 4)
        order, angles = match_endmembers(estimated, reference)
        assert len(set(order.tolist())) == 4
        sums = []
        for other in permutations(range(5), 4):
            u, v = (
                torch.nn.functional.normalize(x, dim=0) for x in (estimated[:, other], reference)
            )
            sums.append(float(torch.rad2deg(torch.arccos((u * v).sum(dim=0))).sum()))
        assert float(angles.sum()) == pytest.approx(min(sums), abs=1e-6)


def test_angles_are_those_of_the_metric():
    """Degrees, as the spectral angle mapper gives them, and exact where they are small."""
    estimated, reference = spectra(1), spectra(1)
    expected = sam(estimated.T[None].numpy(), reference.T[None].numpy(), angle_unit="degrees")
    assert float(match_endmembers(estimated, reference)[1]) == pytest.approx(expected)
    tiny = torch.tensor([[1.0], [1e-9]], dtype=torch.float64)
    axis = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    assert float(match_endmembers(tiny, axis)[1]) == pytest.approx(np.rad2deg(1e-9))
    assert float(match_endmembers(0.0 * axis, axis)[1]) == pytest.approx(90.0)
    assert float(match_endmembers(-axis, axis)[1]) == pytest.approx(180.0)


def test_abundances_are_compared_after_the_match():
    """Shuffled abundances have no error; a known one is found in its own material."""
    reference = torch.from_numpy(RNG.dirichlet(np.ones(4), (6, 9))).movedim(2, 0)
    order = torch.tensor([2, 0, 3, 1])
    estimated = torch.zeros(5, 6, 9, dtype=torch.float64)
    estimated[order] = reference
    assert torch.equal(abundance_rmse(estimated, reference, order), torch.zeros(4).double())
    estimated[3, 0] += 0.6  # a sixth of the pixels of material 2
    expected = torch.tensor([0.0, 0.0, 0.6 / np.sqrt(6), 0.0], dtype=torch.float64)
    torch.testing.assert_close(abundance_rmse(estimated, reference, order), expected)
    flat = abundance_rmse(estimated.flatten(1), reference.flatten(1), order)
    torch.testing.assert_close(flat, expected)


def test_what_cannot_be_compared_is_refused():
    """Other bands, too few endmembers, other pixels, and spectra that are not finite."""
    reference = spectra(3)
    with pytest.raises(ShapeError, match="3 endmembers of 19 bands cannot be matched to 3 of 20"):
        match_endmembers(reference[:19], reference)
    with pytest.raises(ShapeError, match="2 endmembers of 20"):
        match_endmembers(reference[:, :2], reference)
    with pytest.raises(PixelError, match="not finite"):
        match_endmembers(torch.full_like(reference, torch.nan), reference)
    shares = torch.rand(3, 4, 5)
    with pytest.raises(ShapeError, match=r"\(3, 5, 4\)"):
        abundance_rmse(shares, shares.transpose(1, 2), torch.arange(3))
    with pytest.raises(ShapeError, match="of which 2 are matched"):
        abundance_rmse(shares, shares, torch.arange(2))
