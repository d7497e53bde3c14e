"""Abundances beside the bands: what they know is learned, and what unit they have is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.downstream import METHODS, splits
from hsirepro.metrics.classification import classification_scores

SIZE, BANDS = (16, 19), 18
LABELS = 1 + np.add.outer(np.arange(SIZE[0]) // 8, 2 * (np.arange(SIZE[1]) // 10))  # four fields
SETTINGS: dict[str, dict] = {
    "cnn2d": {"epochs": 10, "batch": 8},
    "hamida": {"epochs": 15, "batch": 4, "learning_rate": 0.03},
    "lee": {"epochs": 10, "batch": 8},
    "he": {"epochs": 15, "batch": 8},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that the same accuracy is reached everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def noise_and_shares() -> tuple[torch.Tensor, np.ndarray]:
    """Return a cube without any class in it, and abundances of one material per class."""
    rng = np.random.default_rng(5)
    noise = torch.from_numpy(rng.random((BANDS, *SIZE))).float()
    shares = (np.arange(1, 5)[:, None, None] == LABELS) + 0.05 * rng.random((4, *SIZE))
    return noise, shares / shares.sum(axis=0)


@pytest.mark.parametrize("name", METHODS)
def test_what_only_abundances_know_is_found_with_them(name):
    """A cube of noise says nothing: the classes come from the abundances, and go with them."""
    noise, shares = noise_and_shares()
    split = splits(LABELS, 10, seed=1, count=1)[0]
    truth = LABELS * split.test
    found = METHODS[name](noise, LABELS, split.train, abundances=shares, **SETTINGS[name]).model
    turned = np.roll(shares, 1, axis=0)  # the next material in place of each
    assert classification_scores(found.classify(noise, shares), truth)["OA"] > 0.75
    assert classification_scores(found.classify(noise, turned), truth)["OA"] < 0.25


@pytest.mark.parametrize("name", METHODS)
def test_the_unit_of_abundances_is_of_no_account(name):
    """Shares or sixteenths: the maps have a scale of their own, apart from that of the cube."""
    noise, shares = noise_and_shares()
    split = splits(LABELS, 4, count=1)[0]
    known = [
        METHODS[name](4096 * noise, LABELS, split.train, abundances=unit * shares, epochs=1).model
        for unit in (1, 16)
    ]
    first, second = (classifier.net.state_dict().values() for classifier in known)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
