"""What hyperspectral images are for: the class of every pixel.

A method fits a classifier to some labelled pixels of a scene,
``fit(cube, labels, train, *, abundances, seed, device, progress, checkpoint, preset, **settings)
-> Fitted``, and the classifier names the class of every pixel of a scene:
``model.classify(cube, abundances) -> (H, W)``. :func:`splits` draws the pixels.

>>> import numpy as np, torch
>>> scene, labels = torch.rand(20, 12, 10), np.ones((12, 10), dtype=int)
>>> scene[:, 6:] *= 0.5
>>> labels[6:] = 2
>>> split = splits(labels, per_class=5, count=1)[0]
>>> fitted = METHODS["lee"](scene, labels, split.train, epochs=2)
>>> fitted.model.classify(scene).shape
(12, 10)
"""

from __future__ import annotations

from collections.abc import Callable

from hsirepro.downstream.cnn2d import CNN2D, cnn2d
from hsirepro.downstream.hamida import Hamida, hamida
from hsirepro.downstream.he import He, he
from hsirepro.downstream.lee import Lee, lee
from hsirepro.downstream.model import Classifier, Fitted
from hsirepro.downstream.splits import Split, splits

__all__ = ["METHODS", "MODELS", "Classifier", "Fitted", "Split", "splits"]

METHODS: dict[str, Callable[..., Fitted]] = {
    "cnn2d": cnn2d,
    "hamida": hamida,
    "lee": lee,
    "he": he,
}
"""From the name of a method to what fits it."""

MODELS: dict[str, type[Classifier]] = {"cnn2d": CNN2D, "hamida": Hamida, "lee": Lee, "he": He}
"""From the name of a method to the class of its models."""
