"""Which labelled pixels are learned from, and which are judged: at random, or apart in place.

The custom of the field, and of INSS, is to draw some pixels of each class at random and to judge
by all others. It flatters: pixels next to each other are alike, a test pixel mostly has a training
pixel as its neighbour, and the patches of both overlap, so that parts of what is judged have been
learned by heart. Numbers from such draws compare with published ones, and do not say how well a
map of another field would be.

With ``by_place`` the scene is laid out in square blocks of three patches a side, at a random
offset, and each block falls to training or to the test. Training pixels are drawn in the blocks of
the one kind, and judged are the pixels in the others that lie so far from every training pixel
that no two patches overlap. Pixels that are neither stay out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from hsirepro.downstream.samples import Labels, check_labels
from hsirepro.errors import ParameterError

BLOCK = 3  # patches a side
TRIES = 200  # layouts of blocks, before they are said not to be found

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Two sets of labelled pixels that share none.

    Parameters
    ----------
    train, test : ndarray of bool, shape (H, W)
    """

    train: Mask
    test: Mask


def splits(
    labels: Labels,
    per_class: int,
    seed: int = 0,
    count: int = 5,
    *,
    by_place: bool = False,
    patch: int = 9,
) -> list[Split]:
    """Draw training pixels, as many of each class, several times; see the module.

    Parameters
    ----------
    labels : ndarray or Tensor of int, shape (H, W)
        0 where a pixel has no class.
    per_class : int
        Training pixels of each class.
    seed : int
        The same seed gives the same splits, and more of them the same first ones.
    count : int
        Number of splits. One says little: accuracies differ by several per cent between draws.
    by_place : bool
        Keep the patches of the test apart from those of the training.
    patch : int
        Rows and columns of a patch, for ``by_place``; 9 serves all methods.

    Returns
    -------
    list of Split

    Raises
    ------
    ParameterError
        If a class has too few pixels to leave one for the test, if no blocks keep a class on both
        sides, or a number is impossible.
    ShapeError
        If the labels are no map.

    Examples
    --------
    >>> labels = np.repeat([[0, 1, 2]], 10, axis=0)
    >>> first, second = splits(labels, per_class=3, count=2)
    >>> int(first.train.sum()), int(first.test.sum())
    (6, 14)
    """
    given = check_labels(labels)
    for name, value in (("per_class", per_class), ("count", count), ("patch", patch)):
        if value < 1:
            raise ParameterError(f"{name} is {value}.", next_step="give 1 or more")
    _check_enough(given, per_class)
    draw = _apart if by_place else _at_random
    return [
        draw(given, per_class, patch, np.random.default_rng([seed, number]))
        for number in range(count)
    ]


def _check_enough(labels: NDArray[np.int64], per_class: int) -> None:
    classes, sizes = np.unique(labels[labels > 0], return_counts=True)
    if not len(classes):
        raise ParameterError("No pixel has a label.", next_step="give a map with classes from 1 on")
    least = int(sizes.argmin())
    if sizes[least] <= per_class:
        raise ParameterError(
            f"Class {classes[least]} has {sizes[least]} labelled pixels; {per_class} were asked "
            "for, and at least one must be left for the test.",
            next_step=f"ask for {sizes[least] - 1} per class or fewer, or set its labels to 0",
        )


def _at_random(
    labels: NDArray[np.int64], per_class: int, patch: int, rng: np.random.Generator
) -> Split:
    train = _drawn(labels, labels > 0, per_class, rng)
    return Split(train, (labels > 0) & ~train)


def _drawn(
    labels: NDArray[np.int64], where: Mask, per_class: int, rng: np.random.Generator
) -> Mask:
    """Draw as many pixels of each class among those of a mask."""
    train = np.zeros(labels.size, dtype=bool)
    for label in np.unique(labels[where]):
        members = ((labels == label) & where).ravel().nonzero()[0]
        train[rng.permutation(members)[:per_class]] = True
    return train.reshape(labels.shape)


def _apart(
    labels: NDArray[np.int64], per_class: int, patch: int, rng: np.random.Generator
) -> Split:
    classes = np.unique(labels[labels > 0])
    failures = np.zeros(len(classes), dtype=int)
    for _ in range(TRIES):
        training = _blocks(labels.shape, BLOCK * patch, rng)
        train = _drawn(labels, (labels > 0) & training, per_class, rng)
        near = maximum_filter(train, size=2 * patch - 1, mode="constant")
        test = (labels > 0) & ~training & ~near
        short = (_sizes(labels, train, classes) < per_class) | (_sizes(labels, test, classes) == 0)
        if not short.any():
            return Split(train, test)
        failures += short
    hardest = classes[failures.argmax()]
    raise ParameterError(
        f"No layout of blocks of {BLOCK * patch} pixels keeps {per_class} training pixels and a "
        f"test pixel of class {hardest} apart; it has {(labels == hardest).sum()} labelled pixels.",
        tried=f"{TRIES} layouts",
        next_step=f"ask for fewer per class, give the method's own patch (here {patch}), set the "
        "labels of that class to 0, or leave by_place out",
    )


def _blocks(shape: tuple[int, ...], side: int, rng: np.random.Generator) -> Mask:
    """Return which pixels lie in blocks for training, half of all, shape (H, W)."""
    rows, columns = (
        (np.arange(n) + offset) // side
        for n, offset in zip(shape, rng.integers(side, size=2), strict=True)
    )
    chosen = rng.random((rows[-1] + 1, columns[-1] + 1)) < 0.5
    return np.asarray(chosen[np.ix_(rows, columns)])


def _sizes(labels: NDArray[np.int64], where: Mask, classes: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return how many pixels of each class a mask holds."""
    return np.bincount(labels[where], minlength=classes[-1] + 1)[classes]
