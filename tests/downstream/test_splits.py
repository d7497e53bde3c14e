"""Draws of training pixels: how many, which, and how far from the test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from hsirepro.downstream import splits
from hsirepro.errors import ParameterError, ShapeError


def striped(size=(60, 71), classes=4) -> np.ndarray:
    """Return stripes of some classes, numbered 1, 3, 5 ..., with unlabelled pixels between."""
    rows = np.arange(size[0])[:, None] + np.zeros(size[1], dtype=int)
    labels = 1 + 2 * (rows // 5 % classes)
    labels[:, ::7] = 0
    return labels


@pytest.mark.parametrize("by_place", [False, True])
def test_as_many_of_each_class_and_no_pixel_twice(by_place):
    """So many training pixels of each class; the test is labelled, apart, and of every class."""
    labels = striped()
    for split in splits(labels, 6, seed=3, by_place=by_place, patch=5):
        assert np.bincount(labels[split.train]).tolist() == [0, 6, 0, 6, 0, 6, 0, 6]
        assert not (split.train & split.test).any()
        assert (labels[split.test] > 0).all()
        assert set(labels[split.test]) == {1, 3, 5, 7}


def test_at_random_the_test_is_all_the_rest():
    """Every labelled pixel is in one of the two."""
    labels = striped()
    split = splits(labels, 6, count=1)[0]
    np.testing.assert_array_equal(split.train | split.test, labels > 0)


@pytest.mark.parametrize("patch", [3, 5, 7])
def test_apart_in_place_no_patches_overlap(patch):
    """Centres of a training and a test patch are a patch or more apart, along rows or columns."""
    labels = striped()
    nearest = []
    for seed in range(5):
        split = splits(labels, 6, seed=seed, count=1, by_place=True, patch=patch)[0]
        places = np.argwhere(split.train), np.argwhere(split.test)
        nearest.append(cdist(*places, metric="chebyshev").min())
    assert min(nearest) == patch


def test_at_random_most_patches_overlap():
    """Why there is a choice: draws at random put the test into the patches of the training."""
    split = splits(striped(), 25, count=1)[0]
    distance = cdist(np.argwhere(split.test), np.argwhere(split.train), metric="chebyshev")
    assert (distance.min(axis=1) < 5).mean() > 0.5


@pytest.mark.parametrize("by_place", [False, True])
def test_same_seed_same_splits(by_place):
    """More splits go on where fewer ended; another seed and another number draw others."""
    labels = striped()

    def drawn(seed, count):
        return [s.train for s in splits(labels, 6, seed, count, by_place=by_place, patch=5)]

    first, more = drawn(1, 2), drawn(1, 4)
    for a, b in zip(first, more, strict=False):
        np.testing.assert_array_equal(a, b)
    assert len({mask.tobytes() for mask in [*more, *drawn(2, 2)]}) == 6


def test_every_pixel_is_drawn_some_time():
    """Draws are uniform over a class: in 400 draws of 5 from 20, each comes 100 times or so."""
    labels = np.ones((4, 5), dtype=int)
    often = sum(split.train.astype(int) for split in splits(labels, 5, count=400))
    assert often.sum() == 2000
    assert often.min() > 60
    assert often.max() < 140


@pytest.mark.parametrize(
    ("error", "labels", "options", "text"),
    [
        (
            ParameterError,
            np.repeat([1, 2, 2, 2], 5).reshape(4, 5),
            {"per_class": 5},
            "Class 1 has 5 labelled pixels; 5 were asked for, and at least one must be left for "
            "the test.\n  next step  ask for 4 per class or fewer, or set its labels to 0",
        ),
        (ParameterError, np.zeros((4, 5), dtype=int), {"per_class": 1}, "No pixel has a label."),
        (ParameterError, striped(), {"per_class": 0}, "per_class is 0.\n  next step  give 1 or"),
        (ParameterError, striped(), {"per_class": 1, "count": 0}, "count is 0."),
        (ShapeError, striped()[0], {"per_class": 1}, "The labels have shape (71,); (H, W) is"),
        (ParameterError, striped() * 0.5, {"per_class": 1}, "The labels are float64 from 0.0 on"),
    ],
)
def test_impossible_draws_are_named(error, labels, options, text):
    """The class, what it has and what was asked; then the way on."""
    with pytest.raises(error) as caught:
        splits(labels, **options)
    assert text in str(caught.value)


def test_a_class_that_cannot_be_kept_apart_is_named():
    """One small field cannot be on both sides of a gap of a patch."""
    labels = striped()
    labels[20:24, 30:34] = 8
    with pytest.raises(ParameterError) as caught:
        splits(labels, 3, by_place=True, patch=5)
    text = str(caught.value)
    assert "blocks of 15 pixels keeps 3 training pixels and a test pixel of class 8 apart" in text
    assert "it has 16 labelled pixels" in text
    assert "leave by_place out" in text
