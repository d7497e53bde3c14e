"""Every network learns: spectra of a planted scene that it never saw come near after seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.recovery import METHODS, Pairs
from hsirepro.recovery.training import band_psnr
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 12)
RED_GREEN_BLUE = [6, 3, 1]  # of these bands: 665, 547 and 469 nm
LENGTH = {"iterations": 120, "batch": 4, "crop": 24, "warm_up": 10, "learning_rate": 1e-2}
# Settings, and by how many dB each comes nearer than the best constant spectrum.
NARROW = {
    "hscnn-r": ({"width": 24, "blocks": 1, "iterations": 300, "learning_rate": 5e-3}, 6.0),
    "hscnn-d": ({"blocks": 2}, 9.0),
    "fmnet": ({"width": 8}, 12.0),
    "hsrnet": ({"features": 16, "width": 16, "stages": 2}, 8.0),
    "r2hgan": ({"width": 16, "levels": 3, "spatial": 4, "spectral": 8}, 4.0),
}


def planted(*seeds: int) -> Pairs:
    """Return scenes of the same materials, each with ground of its own."""
    cubes = [simulate(size=40, wavelengths=NM, seed=seed).cube.values for seed in seeds]
    images = [torch.from_numpy(values.copy()).permute(2, 0, 1) for values in cubes]
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, NM)


@pytest.mark.parametrize("name", NARROW)
def test_spectra_of_another_scene_come_near(name):
    """Trained on two scenes, tried on a third; margins are stated above."""
    settings, margin = NARROW[name]
    fitted = METHODS[name](planted(1, 2), **{**LENGTH, **settings})
    test = planted(3)
    true = test.hsi[0]
    constant = true.mean(dim=(1, 2), keepdim=True).expand_as(true)
    gain = band_psnr(fitted.model.reconstruct(test.rgb[0]).image, true) - band_psnr(constant, true)
    assert gain > margin
