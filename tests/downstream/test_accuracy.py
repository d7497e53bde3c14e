"""What is planted is found: fields of known materials, from a few labelled pixels of each."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from hsirepro.downstream import METHODS, splits
from hsirepro.metrics.classification import classification_scores
from hsirepro.scenes.materials import endmember_spectra

SIZE, NM = (23, 29), np.linspace(450.0, 900.0, 20)
PER_CLASS = 10
# Steps enough on some dozens of pixels; the presets are made for hundreds and thousands.
SETTINGS: dict[str, dict] = {
    "cnn2d": {"epochs": 15, "batch": 8},
    "hamida": {"epochs": 20, "batch": 4, "learning_rate": 0.03},
    "lee": {"epochs": 30, "batch": 4},
    "he": {"epochs": 25, "batch": 8},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that the same accuracy is reached everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def fields() -> np.ndarray:
    """Four classes in eight fields, the nearest centre to each pixel, with unlabelled seams."""
    rng = np.random.default_rng(3)
    centres = rng.random((8, 2)) * SIZE
    place = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
    far = np.linalg.norm(place[:, :, None] - centres, axis=-1)
    nearest, second = np.sort(far, axis=-1)[:, :, :2].transpose(2, 0, 1)
    return np.where(second - nearest < 0.7, 0, 1 + far.argmin(axis=-1) % 4)


@cache
def planted() -> torch.Tensor:
    """Spectra of four materials under changing light, with noise of 0.01."""
    rng = np.random.default_rng(4)
    spectra = endmember_spectra(("vegetation", "soil", "asphalt", "red_tile"), NM)
    light = rng.normal(1.0, 0.08, (*SIZE, 1))
    cube = spectra[np.maximum(fields() - 1, 0)] * light + rng.normal(0.0, 0.01, (*SIZE, len(NM)))
    return torch.from_numpy(cube).permute(2, 0, 1).float()


def majority(truth: np.ndarray) -> float:
    """Return the share of the commonest class: what a constant answer reaches."""
    counts = np.bincount(truth[truth > 0])
    return counts.max() / counts.sum()


@pytest.mark.parametrize("name", METHODS)
def test_planted_fields_are_found(name):
    """Ten pixels of each class give three quarters of all others; chance gives one."""
    labels = fields()
    split = splits(labels, PER_CLASS, seed=1, count=1)[0]
    truth = labels * split.test
    found = METHODS[name](planted(), labels, split.train, **SETTINGS[name]).model
    scores = classification_scores(found.classify(planted()), truth)
    assert majority(truth) < 0.3
    assert scores["OA"] > 0.75
    assert scores["AA"] > 0.75
