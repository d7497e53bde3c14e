r"""Distances between the features of two sets of images: FID, inception score, precision, recall.

A network turns every image into a vector f (or into logits); two sets of images are then two
clouds of points. With mean mu and covariance C of a cloud, N(mu, C) in its place, and d(., .) the
Euclidean distance,

    FID = |mu_g - mu_r|^2 + tr(C_g + C_r - 2 (C_g C_r)^(1/2))                     Heusel [1]_
    IS  = exp( mean_x KL( p(class | x) || mean_x' p(class | x') ) )               Salimans [2]_
    precision = share of generated points within reach of a real one              Kynkäänniemi [3]_,
    recall    = share of real points within reach of a generated one              eq. 1 and 2

where a point reaches to its k-th nearest neighbour in its own set, itself not counted.

FID and IS are those of torchmetrics, given features instead of a network. Any network will do that
knows the images; :func:`hsirepro.metrics.train_classifier` makes one per scene, as the
Inception network of the originals has three bands and was made for photographs. FID has the squared
unit of the features, which each network sets for itself: values from two networks do not compare.
All scores depend on the number of images, so it is part of every answer: few images make FID
larger, and precision and recall move in steps of one over it.

References
----------
.. [1] M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter, "GANs trained by a two
   time-scale update rule converge to a local Nash equilibrium", NeurIPS, 2017.
.. [2] T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen, "Improved techniques
   for training GANs", NeurIPS, 2016.
.. [3] T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila, "Improved precision and recall
   metric for assessing generative models", NeurIPS, 2019.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.training import own_randomness

Features = Tensor | np.ndarray

_DISTANCES = 2**22  # held at a time: 32 MB


class FrechetDistance(NamedTuple):
    """FID, the numbers of images that it was taken from, and the number of their features."""

    value: float
    generated: int
    real: int
    dimension: int


class InceptionScore(NamedTuple):
    """Mean and standard deviation over the splits, and the number of images in all of them."""

    value: float
    spread: float
    generated: int


class PrecisionRecall(NamedTuple):
    """Both shares, and the numbers of images."""

    precision: float
    recall: float
    generated: int
    real: int


def frechet_distance(generated: Features, real: Features) -> FrechetDistance:
    """Return the Fréchet distance of two sets of features, in the squared unit of the features.

    Parameters
    ----------
    generated, real : Tensor or ndarray, shapes (N, D) and (M, D)
        At least two rows each.

    Returns
    -------
    FrechetDistance

    Raises
    ------
    ShapeError, PixelError
        If the features are no matrices of as many columns, or not finite.

    Warns
    -----
    UserWarning
        If a set has fewer than 2 D rows: its covariance is then poorly known, and the distance
        is more that of the numbers of images than that of the images.

    Examples
    --------
    >>> cloud = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(cloud + 3.0, cloud).value, 4)
    36.0
    """
    g, r = _pair(generated, real, least=2)
    dimension = r.shape[1]
    if min(len(g), len(r)) < 2 * dimension:
        warnings.warn(
            f"FID of {len(g)} generated and {len(r)} real images in {dimension} dimensions: with "
            f"fewer than {2 * dimension} images of each the covariances are poorly known, and the "
            "value can only be compared with others of the same numbers.",
            stacklevel=2,
        )
    # torchmetrics takes seconds to import.
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Given(dimension)).to(r.device)
    centre = r.mean(dim=0)  # of no effect but on rounding, where features are far from the origin
    metric.update(r - centre, real=True)
    metric.update(g - centre, real=False)
    return FrechetDistance(max(0.0, float(metric.compute())), len(g), len(r), dimension)


@own_randomness()
def inception_score(logits: Features, *, splits: int = 10, seed: int = 0) -> InceptionScore:
    """Return the inception score: from 1 to the number of classes, larger is better.

    Parameters
    ----------
    logits : Tensor or ndarray, shape (N, classes)
        Of the generated images, before the soft-max.
    splits : int
        Parts, drawn at random, of which each gets a score. Within a part the mean over images
        stands for p(class), so many small parts lower the score.
    seed : int
        Draws the parts.

    Returns
    -------
    InceptionScore
        The spread is NaN for one split.

    Raises
    ------
    ParameterError
        If the images do not divide into ``splits`` equal parts.
    ShapeError, PixelError
        If the logits are no matrix, or not finite.

    Examples
    --------
    >>> sure = 50.0 * torch.eye(4).repeat(5, 1)
    >>> inception_score(sure, splits=1).value
    4.0
    """
    rows = _matrix("logits", logits, least=1)
    if splits < 1 or len(rows) % splits:
        fitting = [parts for parts in range(1, min(len(rows), 20) + 1) if len(rows) % parts == 0]
        raise ParameterError(
            f"{len(rows)} images do not divide into splits={splits} equal parts.",
            next_step=f"splits can be {', '.join(str(parts) for parts in fitting)}",
        )
    from torchmetrics.image.inception import InceptionScore as Metric

    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*save all extracted features in buffer")
        warnings.filterwarnings("ignore", ".*degrees of freedom")  # the spread of one split
        metric = Metric(feature=_Given(rows.shape[1]), splits=splits)
        metric.update(rows)
        value, spread = metric.compute()
    return InceptionScore(float(value), float(spread), len(rows))


def precision_recall(generated: Features, real: Features, *, k: int = 3) -> PrecisionRecall:
    """Return improved precision and recall.

    Parameters
    ----------
    generated, real : Tensor or ndarray, shapes (N, D) and (M, D)
    k : int
        Each point reaches to its ``k``-th nearest neighbour in its own set, itself not counted.

    Returns
    -------
    PrecisionRecall
        Shares from 0 to 1.

    Raises
    ------
    ParameterError
        If a set has no ``k``-th neighbour.
    ShapeError, PixelError
        If the features are no matrices of as many columns, or not finite.

    Examples
    --------
    >>> cloud = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    >>> precision_recall(cloud[:25], cloud)[0], precision_recall(cloud + 100.0, cloud)[:2]
    (1.0, (0.0, 0.0))
    """
    g, r = _pair(generated, real, least=1)
    if not 1 <= k < min(len(g), len(r)):
        raise ParameterError(
            f"k={k} is no neighbour that all of {len(g)} generated and {len(r)} real images have.",
            next_step="k is at least 1 and less than the numbers of images",
        )
    return PrecisionRecall(_share_reached(g, r, k), _share_reached(r, g, k), len(g), len(r))


def _share_reached(points: Tensor, by: Tensor, k: int) -> float:
    """Return the share of ``points`` within reach of one of ``by``."""
    reached = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    rows = max(1, _DISTANCES // max(len(points), len(by)))
    for start in range(0, len(by), rows):
        some = by[start : start + rows]
        own = _distances(some, by)
        own.diagonal(offset=start).fill_(torch.inf)
        reach = own.kthvalue(k, dim=1, keepdim=True).values
        reached |= (_distances(some, points) <= reach).any(dim=0)
    return float(reached.double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # By differences: a product of matrices would not find equal points at distance 0.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


class _Given(nn.Module):
    """The network that torchmetrics asks for, where the features are there already."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.num_features = dimension

    def forward(self, features: Tensor) -> Tensor:
        """Return what it is given."""
        return features


def _pair(generated: Features, real: Features, least: int) -> tuple[Tensor, Tensor]:
    g, r = _matrix("generated", generated, least), _matrix("real", real, least)
    if g.shape[1] != r.shape[1]:
        raise ShapeError(
            f"The generated images have {g.shape[1]} features, the real ones {r.shape[1]}.",
            next_step="describe both with the same network",
        )
    return g, r.to(g.device)


def _matrix(name: str, values: Features, least: int) -> Tensor:
    matrix = torch.as_tensor(values).detach().to(torch.float64)
    if matrix.ndim != 2 or len(matrix) < least or not matrix.shape[1]:
        raise ShapeError(
            f"{name} has shape {tuple(matrix.shape)}; a matrix is needed, one row per image, of at "
            f"least {least}.",
            next_step="net.features(tiles) makes one from tiles (N, L, h, w)",
        )
    if not bool(torch.isfinite(matrix).all()):
        row = int((~torch.isfinite(matrix)).any(dim=1).nonzero()[0])
        raise PixelError(f"{name} holds NaN or infinite values, first in row {row}.")
    return matrix
