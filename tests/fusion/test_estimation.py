"""What baselines are told of the cameras, option by option."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.optics import planted_pair
from hsirepro.scenes.cube import to_tensor


def images(**kwargs):
    """Return a noise-free planted pair as tensors, with its optics."""
    pair = planted_pair(**kwargs).pair
    return to_tensor(pair.hsi), to_tensor(pair.msi), pair


@pytest.mark.parametrize("response", ["estimated", "covered"])
def test_the_offset_is_taken_off_the_msi(response):
    """An MSI with an offset gives the same response, and the same image without it."""
    from hsirepro.fusion.estimation import pair_optics

    hsi, msi, pair = images(size=32, ratio=4, sigma=1.0)
    plain, lifted = (
        pair_optics(hsi, msi + c, ratio=4, srf=pair.srf, response=response) for c in (0.0, 0.25)
    )
    torch.testing.assert_close(lifted.response, plain.response, atol=1e-4, rtol=0)
    torch.testing.assert_close(lifted.msi, plain.msi, atol=1e-4, rtol=0)


def test_estimated_knows_no_coverage_and_covered_keeps_to_it():
    """The fit of the review looks at all bands; the covered one at no other."""
    from hsirepro.fusion.estimation import pair_optics

    hsi, msi, pair = images(size=32, ratio=4, sigma=1.0)
    told, blind, covered = (
        pair_optics(hsi, msi, ratio=4, srf=srf, response=response).response
        for srf, response in ((pair.srf, "estimated"), (None, "estimated"), (pair.srf, "covered"))
    )
    torch.testing.assert_close(told, blind)
    assert (told >= 0).all()
    outside = pair.srf.matrix == 0
    assert (told[outside] > 0).any()
    assert not covered[outside].any()


@pytest.mark.parametrize("ratio", [2, 3, 4, 5, 8])
def test_kernels_that_are_told_are_as_wide_as_the_ratio(ratio):
    """Both Gaussians fall to a half at half a ratio from their middle, whatever the window."""
    from hsirepro.fusion.estimation import assumed_spread, review_spread

    for spread, side in (
        (assumed_spread(ratio), ratio),
        (review_spread(ratio), 2 * ratio - ratio % 2),
    ):
        position = np.arange(side) - (side - 1) / 2
        taps = 0.5 ** (2 * position / ratio) ** 2  # one half at +- ratio / 2
        taps /= taps.sum()
        np.testing.assert_allclose(spread.kernel, np.outer(taps, taps), atol=1e-7)
