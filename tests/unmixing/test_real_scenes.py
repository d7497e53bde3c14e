"""Unmixing of real scenes against the references published with them, where they are.

The bounds are loose: they catch turned pixels, mixed-up materials and broken methods, no more.
What the methods reach stands in the book.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hsirepro.scenes import open_scene, reference_unmixing
from hsirepro.unmixing import (
    abundance_rmse,
    fcls,
    hfc,
    hysime,
    match_endmembers,
    ncls,
    nfindr,
    vca,
)

# Degrees, and error of the abundances, that N-FINDR and VCA stay below.
BOUNDS = {
    "jasper-ridge": {"n-findr": (12.0, 0.20), "vca": (30.0, 0.42)},
    "samson": {"n-findr": (6.0, 0.37), "vca": (6.0, 0.33)},
    "moffett-field": {"n-findr": (11.0, 0.10), "vca": (11.0, 0.10)},
}


def load(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return pixels (L, H, W), and the endmembers and abundances of the reference."""
    reference = reference_unmixing(name)
    pixels = torch.from_numpy(open_scene(name).values).movedim(2, 0)
    return pixels, torch.from_numpy(reference.endmembers), torch.from_numpy(reference.abundances)


def overall(error: Tensor) -> float:
    return float(error.square().mean().sqrt())


@pytest.mark.parametrize("method", ["n-findr", "vca"])
@pytest.mark.parametrize("name", BOUNDS)
def test_methods_come_near_the_reference(data_dir, name, method):
    """Endmembers and abundances resemble the published ones; turned ones they do not."""
    pixels, endmembers, abundances = load(name)
    flat, count = pixels.flatten(1), endmembers.shape[1]
    if method == "vca":
        found = vca(flat, count, restarts=10)[0]
    else:
        found = flat[:, nfindr(flat, count)].double()
    order, angles = match_endmembers(found, endmembers)
    shares = fcls(flat, found).reshape(-1, *pixels.shape[1:])
    error = overall(abundance_rmse(shares, abundances, order))
    degrees, most = BOUNDS[name][method]
    assert angles.mean() < degrees
    assert error < most
    assert overall(abundance_rmse(shares, abundances.mT, order)) > 1.3 * error
    assert overall(abundance_rmse(shares, abundances, order.roll(1))) > 1.1 * error


@pytest.mark.parametrize(
    ("name", "constrained", "near"),
    [("moffett-field", True, 2e-3), ("samson", False, 5e-3), ("jasper-ridge", False, 0.06)],
)
def test_reference_abundances_are_least_squares(data_dir, name, constrained, near):
    """With the reference endmembers the abundances follow: fully constrained, or scaled NCLS."""
    pixels, endmembers, abundances = load(name)
    flat = pixels.flatten(1)
    shares = fcls(flat, endmembers) if constrained else ncls(flat, endmembers)
    shares = (shares / shares.sum(dim=0)).reshape(abundances.shape)
    order = torch.arange(len(abundances))
    assert overall(abundance_rmse(shares, abundances, order)) < near
    assert overall(abundance_rmse(shares, abundances.mT, order)) > 5 * near


@pytest.mark.parametrize("name", BOUNDS)
def test_scenes_have_more_dimensions_than_materials(data_dir, name):
    """Real materials vary, so that both counts exceed that of the reference; HySime's by more."""
    pixels, endmembers, _ = load(name)
    assert endmembers.shape[1] < hfc(pixels) < hysime(pixels)[0] < len(pixels) / 2
