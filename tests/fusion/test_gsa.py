"""GSA where its model is the truth: bands that follow a multispectral band line by line."""

from __future__ import annotations

import pytest
import torch

from hsirepro.fusion.gsa import gsa
from hsirepro.optics import downsample


@pytest.mark.parametrize("regress_bands", [False, True])
@pytest.mark.parametrize("ratio", [2, 4, 5])
def test_a_scene_linear_in_the_msi_is_reproduced(ratio, regress_bands):
    """If every band is a gain times one MSI band plus an offset, the fine detail is all there."""
    rng = torch.Generator().manual_seed(0)
    msi = torch.rand(3, 7 * ratio, 9 * ratio, generator=rng, dtype=torch.float64)
    gains, offsets = 0.2 + torch.rand(2, 12, generator=rng, dtype=torch.float64)
    truth = gains[:, None, None] * msi.repeat_interleave(4, dim=0) + offsets[:, None, None]
    # The coarse image as the method makes it from the MSI: another one is another offset.
    fused = gsa(downsample(truth, ratio), msi, ratio=ratio, regress_bands=regress_bands).image
    torch.testing.assert_close(fused, truth, atol=1e-4, rtol=0)
    bent = truth + 0.1 * msi.square().repeat_interleave(4, dim=0)
    off = gsa(downsample(bent, ratio), msi, ratio=ratio, regress_bands=False).image - bent
    assert float(off.abs().max()) > 1e-3
