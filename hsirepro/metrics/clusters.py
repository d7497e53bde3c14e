"""Pseudo-labels of a scene without labels: clusters of its pixels' unit spectra.

Divided by its norm, a spectrum says which material it is and not how brightly it is lit. k-means
on these is what the field falls back on where nobody has labelled a scene; its clusters are no
ground truth, and how many there are is a choice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hsirepro.errors import ParameterError

_FITTED = 20_000  # pixels that the centres are learned from, at most, and that are held at a time


def kmeans_labels(image: Tensor, clusters: int, *, seed: int = 0) -> Tensor:
    """Return pseudo-labels: the clusters of the pixels' unit spectra, found by k-means.

    Parameters
    ----------
    image : Tensor, shape (L, H, W)
    clusters : int
        At least 2.
    seed : int
        Draws the 20 000 pixels that the centres are learned from, and where they start.

    Returns
    -------
    Tensor of int, shape (H, W)
        From 1 to ``clusters``; 0 where a spectrum is all zero.

    Raises
    ------
    ParameterError
        If ``clusters`` is less than 2 or more than the pixels that are not all zero.
    """
    from sklearn.cluster import KMeans

    pixels = image.flatten(1)
    lit = (pixels != 0).any(dim=0).nonzero()[:, 0]
    if not 2 <= clusters <= len(lit):
        raise ParameterError(
            f"k-means cannot find {clusters} clusters in {len(lit)} spectra that are not all zero.",
            next_step="ask for at least 2",
        )

    def unit(some: Tensor) -> np.ndarray:
        return F.normalize(pixels[:, some].double(), dim=0, eps=0.0).T.contiguous().numpy()

    chosen = np.random.default_rng(seed).permutation(len(lit))[:_FITTED]
    means = KMeans(clusters, n_init=4, random_state=seed).fit(unit(lit[np.sort(chosen)]))
    labels = torch.zeros(pixels.shape[1], dtype=torch.int64)
    for some in torch.split(lit, _FITTED):
        labels[some] = 1 + torch.from_numpy(means.predict(unit(some))).long()
    return labels.reshape(image.shape[1:])
