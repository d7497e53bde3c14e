"""The planted pair: every truth in one place, and consistent with the images."""

from __future__ import annotations

import numpy as np
import torch

from hsirepro.optics import planted_pair
from hsirepro.scenes import to_tensor


def test_the_truth_explains_both_images() -> None:
    """PSF and SRF that are returned make the HSI and the MSI from the scene that is returned."""
    planted = planted_pair(size=(24, 32), ratio=4, sigma=1.0, seed=3)
    cube = to_tensor(planted.scene.cube)
    torch.testing.assert_close(planted.pair.psf(cube), to_tensor(planted.pair.hsi))
    torch.testing.assert_close(planted.pair.srf(cube), to_tensor(planted.pair.msi))
    np.testing.assert_allclose(planted.scene.abundances.sum(axis=-1), 1.0, atol=1e-6)


def test_one_seed_fixes_scene_and_noise() -> None:
    """The same seed gives the same bytes, another seed another scene."""
    first, again, other = (
        planted_pair(size=16, snr_hsi=30.0, snr_msi=30.0, seed=seed).pair for seed in (1, 1, 2)
    )
    assert first.hsi.values.tobytes() == again.hsi.values.tobytes()
    assert first.msi.values.tobytes() == again.msi.values.tobytes()
    assert not np.array_equal(first.msi.values, other.msi.values)
