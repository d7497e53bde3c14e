"""MAP estimation with a stochastic mixing model (MAPSMM).

The leading principal components z of the HSI are enhanced, the others only interpolated. Pixels
are mixtures of p = 4 pure classes whose spectra vary, with fractions f on a grid of quarters,

    x | f  ~  N( sum_m f_m mu_m,  sum_m f_m^2 C_m ),

35 mixture classes in all, fitted to the low-resolution components by expectation maximisation
from the simplex of N-FINDR [1]_. Each pixel takes the fractions of its likeliest class, and the
fraction maps are interpolated. For a high-resolution pixel j the same mixture, of the joint
statistics of components and multispectral bands y in each pure class, gives a Gaussian

    z_j | y_j  ~  N(m_j, P_j),    m = mu_z + C_zy C_yy^-1 (y - mu_y),  P = C_zz - C_zy C_yy^-1 C_yz

and the w x w pixels under an HSI pixel z have to average to it, up to noise of variance s^2 [2]_:

    z_j <- m_j + P_j / w^2 (sum_j P_j / w^4 + s^2 I)^-1 (z - sum_j m_j / w^2).

Block averaging is the point spread that it assumes; it does not need the spectral response.

Settings are those of the comparative review [3]_: p + 1 components, s^2 the next eigenvalue over
w^2; five pure classes where only three or fewer of four win a pixel, of which those that do are
kept. Two quirks of its toolbox are kept by default: the likelihoods of a mixture class are scaled
to sum 1 over the image before Bayes' rule, and class covariances are updated as second moments
about zero. ``toolbox=False`` does both as in [1]_. A pure class starts from the 98 % of its
nearest pixels that lie closest to its endmember. Class covariances have a small ridge, and a
class of no more pixels than components and bands takes the one pooled over all classes.

References
----------
.. [1] M. Eismann, R. Hardie, "Application of the stochastic mixing model to hyperspectral
   resolution enhancement", IEEE Trans. Geosci. Remote Sens. 42(9), 2004.
.. [2] M. Eismann, "Resolution enhancement of hyperspectral imagery using maximum a posteriori
   estimation with a stochastic mixing model", Ph.D. thesis, University of Dayton, 2004.
.. [3] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsirepro.fusion.blocks import from_blocks, to_blocks
from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.regression import denoise
from hsirepro.optics import upsample
from hsirepro.unmixing.nfindr import nfindr

RIDGE = 1e-6  # on class covariances, relative to the variance of each variable in the image
CLOSEST = 0.98  # share of the pixels of a pure class that its first statistics come from
PIXELS_AT_ONCE = 8192


def mapsmm(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    pure_classes: int = 4,
    iterations: int = 10,
    toolbox: bool = True,
    regress_bands: bool = True,
    **unused: object,
) -> Outcome:
    """Fuse one pair; works in tiles of some rows, beside a fraction map of each pure class.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    pure_classes : int
        p; fewer where the HSI has not as many dimensions.
    iterations : int
        Of expectation maximisation.
    toolbox : bool
        Keep the two quirks of the module.
    regress_bands : bool
        Denoise the result by regression between bands, as the review does.
    **unused
        ``srf``, ``psf``, ``seed`` and ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio). Curve ``log_likelihood``, mean over pixels, by
        ``iteration``; learned ``endmembers`` (L, p), the means of the pure classes, and their
        ``fractions`` (p, h, w).
    """
    settings: dict[str, object] = {
        "pure_classes": pure_classes,
        "iterations": iterations,
        "toolbox": toolbox,
        "regress_bands": regress_bands,
    }
    pixels = hsi.flatten(1).double()
    mean = pixels.mean(dim=1, keepdim=True)
    variance, axes = _principal_axes(pixels - mean)
    kept = min(pure_classes + 1, int((variance > 1e-12 * variance.sum()).sum()))
    fused = upsample(hsi, ratio)
    if not kept:  # all pixels are equal
        return Outcome(fused, settings=settings)
    noise = float(variance[kept:][:1].sum()) / ratio**2
    axes = axes[:, :kept]
    low = axes.T @ (pixels - mean)
    most = min(kept + 1, low.shape[1])  # corners of a simplex in as many dimensions
    model = _mixing_model(low, min(pure_classes, most), iterations, toolbox)
    if len(model.winners) < pure_classes < most:
        model = _mixing_model(low, pure_classes + 1, iterations, toolbox)
    fractions = model.fractions[model.winners]
    fractions = fractions / fractions.sum(dim=0)
    coarse = F.avg_pool2d(msi.double(), ratio).flatten(1)
    classes = _joint_classes(torch.cat([low, coarse]), fractions)

    low, maps = (image.reshape(-1, *hsi.shape[1:]) for image in (low, fractions))
    maps = upsample(maps.float(), ratio).clamp_min(0.0)
    rows = max(PIXELS_AT_ONCE // (ratio * msi.shape[2]), 1)
    for start in range(0, hsi.shape[1], rows):
        strip = slice(start * ratio, (start + rows) * ratio)
        enhanced = _estimate(
            low[:, start : start + rows], msi[:, strip], maps[:, strip], classes, noise, ratio
        )
        smooth = torch.tensordot(axes.T, fused[:, strip].double() - mean[:, :, None], dims=1)
        fused[:, strip] += torch.tensordot(axes, enhanced - smooth, dims=1)
    return Outcome(
        denoise(fused) if regress_bands else fused,
        curves={
            "iteration": np.arange(1.0, iterations + 1.0),
            "log_likelihood": np.array(model.log_likelihood),
        },
        learned={
            "endmembers": (mean + axes @ model.means[model.winners].T).float(),
            "fractions": fractions.reshape(-1, *hsi.shape[1:]).float(),
        },
        settings=settings,
    )


@dataclass(frozen=True)
class _MixingModel:
    """Pure classes and the fractions of every pixel.

    Parameters
    ----------
    means : Tensor, shape (p, k)
    fractions : Tensor, shape (p, N)
    winners : Tensor
        Pure classes with the largest fraction of at least one pixel.
    log_likelihood : list of float
        By iteration, mean over pixels.
    """

    means: Tensor
    fractions: Tensor
    winners: Tensor
    log_likelihood: list[float]


def _mixing_model(x: Tensor, count: int, iterations: int, toolbox: bool) -> _MixingModel:
    """Fit ``count`` pure classes and their mixtures to pixels, shape (k, N)."""
    grid = fraction_grid(count, count).to(x.dtype)
    pure = grid.argmax(dim=0)  # the mixture class that is all of one pure class
    means, covariances = _first_statistics(x, nfindr(x, count))
    prior = x.new_full((len(grid), 1), 1.0 / len(grid))
    curve = []
    for _ in range(iterations):
        score, total = _bayes(x, grid, means, covariances, prior, toolbox)
        curve.append(float(total.mean()))
        posterior = score.sub_(total).exp_()
        prior = posterior.mean(dim=1, keepdim=True)
        for m, weight in enumerate(posterior[pure]):
            mass = weight.sum()
            if mass < 1e-6:  # no pixel is pure: the class stays where it was
                continue
            means[m] = x @ weight / mass
            about = x if toolbox else x - means[m][:, None]
            covariances[m] = (about * weight) @ about.T / mass
    score, _ = _bayes(x, grid, means, covariances, prior, toolbox)
    fractions = grid[score.argmax(dim=0)].T
    used = torch.bincount(fractions.argmax(dim=0)).nonzero().flatten()
    return _MixingModel(means, fractions, used, curve)


def fraction_grid(count: int, levels: int) -> Tensor:
    """Return all fractions of ``count`` classes in steps of 1 / levels, shape (Q, count).

    Examples
    --------
    >>> fraction_grid(2, 2).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    >>> len(fraction_grid(4, 4)), len(fraction_grid(5, 5))
    (35, 126)
    """
    shares = torch.tensor(list(combinations_with_replacement(range(count), levels)))
    return F.one_hot(shares, count).sum(dim=1) / levels


def _first_statistics(x: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (p, k) and covariance (p, k, k) of the pixels around each endmember."""
    distance = torch.cdist(x[:, corners].T, x.T)
    nearest = distance.argmin(dim=0)
    nearest[corners] = torch.arange(len(corners))
    means, covariances = [], []
    for m, row in enumerate(distance):
        own = (nearest == m).nonzero().flatten()
        number = max(int(CLOSEST * len(own)), 1)
        own = own[row[own].argsort(stable=True)[:number]]
        means.append(x[:, own].mean(dim=1))
        covariances.append(_covariance(x[:, own]))
    return torch.stack(means), torch.stack(covariances)


def _bayes(
    x: Tensor, grid: Tensor, means: Tensor, covariances: Tensor, prior: Tensor, toolbox: bool
) -> tuple[Tensor, Tensor]:
    """Return log prior times likelihood, shape (Q, N), and its log-sum over classes, (N,)."""
    ridge = RIDGE * x.square().mean(dim=1) + torch.finfo(x.dtype).tiny
    mixed = torch.tensordot(grid.square(), covariances, dims=1) + ridge.diag()
    roots = torch.linalg.cholesky(mixed)
    score = x.new_empty(len(grid), x.shape[1])
    for q, (centre, root) in enumerate(zip(grid @ means, roots, strict=True)):
        white = torch.linalg.solve_triangular(root, x - centre[:, None], upper=False)
        score[q] = -0.5 * white.square().sum(dim=0) - root.diagonal().log().sum()
    if toolbox:
        score -= score.logsumexp(dim=1, keepdim=True)
    score += prior.clamp_min(torch.finfo(x.dtype).tiny).log()
    return score, score.logsumexp(dim=0)


def _joint_classes(joint: Tensor, fractions: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (p, k + l) and covariance of components and MSI bands in each pure class."""
    owner = fractions.argmax(dim=0)
    share = F.one_hot(owner, len(fractions)).to(joint.dtype)
    number = share.sum(dim=0)
    means = (joint @ share / number).T
    within = _covariance(joint - means[owner].T)
    covariances = torch.stack([_covariance(joint[:, owner == m]) for m in range(len(fractions))])
    # With no more pixels than variables, a class is too thin for a regression of its own.
    covariances[number <= len(joint)] = within
    variance = _covariance(joint).diagonal()
    # A dead or constant band has no variance of its own to be a share of.
    largest = float(variance.max()) or 1.0
    ridge = RIDGE * variance.where(variance > 1e-12 * largest, variance.new_tensor(largest))
    return means, covariances + ridge.diag()


def _estimate(
    low: Tensor,
    msi: Tensor,
    fractions: Tensor,
    classes: tuple[Tensor, Tensor],
    noise: float,
    ratio: int,
) -> Tensor:
    """Return the most probable components of a strip.

    Parameters
    ----------
    low : Tensor, shape (k, h, w)
        Components of the HSI.
    msi : Tensor, shape (l, h * ratio, w * ratio)
    fractions : Tensor, shape (p, h * ratio, w * ratio)
        Not negative.
    classes : (Tensor, Tensor)
        Joint means (p, k + l) and covariances (p, k + l, k + l).
    noise : float
        Variance of the noise of the HSI.
    ratio : int

    Returns
    -------
    Tensor, shape (k, h * ratio, w * ratio)
    """
    k, height, width = low.shape
    f, y = (to_blocks(image, ratio).double() for image in (fractions, msi))
    f = f / f.sum(dim=2, keepdim=True)
    mean, covariance = f @ classes[0], torch.tensordot(f.square(), classes[1], dims=1)
    # Given the multispectral pixel ...
    between = covariance[..., :k, k:]
    gain = torch.linalg.solve(covariance[..., k:, k:], between.mT).mT
    z = mean[..., :k] + (gain @ (y - mean[..., k:])[..., None])[..., 0]
    spread = covariance[..., :k, :k] - gain @ between.mT
    # ... and given that the pixels of a block average to the HSI pixel.
    seen = spread.mean(dim=1) / ratio**2 + noise * torch.eye(k, dtype=z.dtype)
    missing = low.flatten(1).T - z.mean(dim=1)
    shared = torch.linalg.solve(seen, missing)
    z = z + (spread @ shared[:, None, :, None])[..., 0] / ratio**2
    return from_blocks(z, height, width, ratio)


def _principal_axes(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Return variances, shape (L,), largest first, and the axes, (L, L), as columns."""
    variance, axes = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    return variance.flip(0).clamp_min(0.0), axes.flip(1)


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    return centred @ centred.T / x.shape[1]
