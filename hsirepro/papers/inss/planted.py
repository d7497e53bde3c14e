"""Planted truth for INSS: abundances and the order of mixing, and how well they are found.

Scenes of four materials are planted with one, two or three reflections of known strength
(:mod:`hsirepro.scenes.reflections`), under level light and little noise. Models of each order
are then asked twice.

*From spectra*, which is about the mixing model N alone: the library and t are given, abundances
and the weights of N are what explains every other band of the image best, in turn

    a_p = argmin |y_p - t * (R a) * (1 + x^2 + x^2 x^3 ...)_p|^2 over a >= 0, sum a = 1,
    phi = some steps of Adam on the same error, with these abundances,

and the bands between, which had no say, tell what the model leaves. A model that is too poor
leaves more than the noise, and one that is too rich gains nothing there.

*From colours*, which is INSS whole: trained on two scenes, chosen by a third, tried on the fourth.
Three colours and the sum of one determine four abundances, but not through a network that some
hundred steps trained. It stands beside two guesses that never look at the image: as much of
everything, and the mean of the training scenes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from hsirepro.papers.inss.spans import NNLS_STEPS, SUM
from hsirepro.records import Meter, Record, RecordKey, provenance
from hsirepro.recovery import METHODS, Pairs
from hsirepro.recovery.inss import colour_bands
from hsirepro.recovery.mixing import Mixing, from_tiles, to_tiles
from hsirepro.scenes.libraries import make_library
from hsirepro.scenes.simulate import simulate

PLANTED, SCENE = "planted", "planted"
ORDERS: Mapping[str, int] = MappingProxyType({"order-1": 1, "order-2": 2, "order-3": 3})
"""Of the model, by the name of the row."""
CONDITIONS: Mapping[str, int] = MappingProxyType({f"planted-order={k}": k for k in (1, 2, 3)})
"""Of the scenes, by the name of the condition."""
MATERIALS = ("vegetation", "soil", "red_tile", "snow")
NM = np.linspace(420.0, 2400.0, 60)
SIZE = 64  # pixels: whole tiles, and more than F halves
SNR_DB = 60.0  # 0.1 %: the third reflection is a percent of the light
LEARNED = {
    "learning_rate": 1e-2,
    "width": 8,
    "adversarial": 0.0,
    "warm_up": 5,
    "batch": 2,
    "reflections": 0.1,
}
"""Of INSS, beside the preset ``small``: what learns the most in some hundred steps."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """How long both fits are: rounds of N and its steps in each, and steps of INSS."""

    rounds: int
    steps: int
    iterations: int


EFFORTS: Mapping[str, Effort] = MappingProxyType(
    {
        "smoke": Effort(5, 40, 80),
        "quick": Effort(15, 60, 250),
        "paper": Effort(40, 200, 2000),
    }
)


@dataclass(frozen=True)
class Ground:
    """A planted image and all that made it.

    Parameters
    ----------
    image : ndarray, shape (H, W, K)
    abundances : ndarray, shape (H, W, M)
    library : ndarray, shape (K, M)
    atmosphere : ndarray, shape (K,)
    noise : float
        Standard deviation, in the unit of the image.
    """

    image: Floats
    abundances: Floats
    library: Floats
    atmosphere: Floats
    noise: float


def planted_record(key: RecordKey) -> Record:
    """Return the record of a model of one order on scenes of one order.

    Returns
    -------
    Record
        Metrics: what the model leaves of fitted bands and of those between, as multiples of the
        noise; root mean square errors of abundances from spectra, from colours, and of both
        guesses. Arrays: mean abundances, true and found.
    """
    order, planted, effort = ORDERS[key.method], CONDITIONS[key.condition], EFFORTS[key.profile]
    *learned, chosen, test = (ground(planted, 4 * key.seed + n, SIZE) for n in range(4))
    with Meter() as meter, torch.random.fork_rng():
        torch.manual_seed(key.seed)
        model = Mixing(len(MATERIALS), order)
        found, fitted, between = explain(model, test, effort)
        settings = {**LEARNED, "iterations": effort.iterations, "order": order}
        seen = METHODS["inss"](
            _pairs(learned),
            library=make_library(test.library.T, MATERIALS, NM, np.full(len(NM), 33.0)),
            validation=_pairs([chosen]),
            seed=key.seed,
            preset="small",
            validate_every=max(1, effort.iterations // 10),
            **settings,
        ).model.reconstruct(_pairs([test]).rgb[0])
    assert seen.abundances is not None
    from_colours = seen.abundances.permute(1, 2, 0).double().numpy()
    mean = np.mean([one.abundances for one in learned], axis=(0, 1, 2))
    metrics = {
        "left of fitted bands": fitted / test.noise,
        "left of bands between": between / test.noise,
        "RMSE of abundances from spectra": _rmse(found, test.abundances),
        "RMSE of abundances from colours": _rmse(from_colours, test.abundances),
        "RMSE of uniform abundances": _rmse(
            np.full(len(MATERIALS), 1 / len(MATERIALS)), test.abundances
        ),
        "RMSE of mean abundances": _rmse(mean, test.abundances),
    }
    arrays = {
        "mean_true": test.abundances.mean(axis=(0, 1)),
        "mean_from_spectra": found.mean(axis=(0, 1)),
        "mean_from_colours": from_colours.mean(axis=(0, 1)),
    }
    sources = provenance(
        seed=key.seed,
        data_sha256=hashlib.sha256(test.image.tobytes()).hexdigest(),
        wall_time_s=meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device="cpu",
    )
    told = {**vars(effort), **settings, "materials": list(MATERIALS), "snr_db": SNR_DB}
    return Record(key, metrics, {}, arrays, {}, told, sources)


def ground(order: int, seed: int, size: int) -> Ground:
    """Plant a scene of ``size`` x ``size`` pixels: level, spectra as in the library, and noisy."""
    scene = simulate(
        size=size,
        wavelengths=NM,
        materials=MATERIALS,
        order=order,
        variability=0.0,
        atmosphere=True,
        seed=seed,
    )
    clean = replace(scene, illumination=np.ones_like(scene.illumination)).clean()
    noise = float(np.sqrt((clean**2).mean() / 10 ** (SNR_DB / 10)))
    noisy = clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)
    return Ground(noisy, scene.abundances, scene.endmembers.T, scene.atmosphere, noise)


def explain(model: Mixing, truth: Ground, effort: Effort) -> tuple[Floats, float, float]:
    """Fit N and abundances to every other band of an image, given its library and t.

    Returns
    -------
    abundances : ndarray, shape (H, W, M)
    fitted, between : float
        Root mean square error at the bands that were fitted, and at the others.
    """
    size = torch.Size(truth.image.shape[:2])
    image = torch.from_numpy(truth.image).float().permute(2, 0, 1)[None]
    pixels = to_tiles(image, model.tile)
    seen = slice(0, None, 2)
    library, t = (torch.from_numpy(part).float() for part in (truth.library, truth.atmosphere))
    endmembers = (truth.atmosphere[:, None] * truth.library)[seen]
    shares = _abundances(pixels[..., seen], endmembers, torch.ones(1))
    if model.order > 1:
        tiles = (1, model.weights_per_tile, *(side // model.tile for side in size))
        weights = (0.1 * torch.randn(tiles)).requires_grad_()
        adam = torch.optim.Adam([weights], lr=0.02)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, effort.rounds * effort.steps)
        scale = pixels.square().mean()
        for _ in range(effort.rounds):
            once = (shares @ library[seen].T) * t[seen]
            for _ in range(effort.steps):
                adam.zero_grad()
                made = once * _reflected(model, shares, weights, library[seen])
                ((made - pixels[..., seen]).square().mean() / scale).backward()  # type: ignore[no-untyped-call]
                adam.step()
                slower.step()
            with torch.no_grad():
                factor = _reflected(model, shares, weights, library[seen])
            shares = _abundances(pixels[..., seen], endmembers, factor)
    with torch.no_grad():
        made = (shares @ library.T) * t
        if model.order > 1:
            made = made * _reflected(model, shares, weights, library)
    found = from_tiles(shares, size, model.tile)[0].permute(1, 2, 0).double().numpy()
    fitted, between = (
        float((made - pixels)[..., bands].square().mean().sqrt())
        for bands in (seen, slice(1, None, 2))
    )
    return found, fitted, between


def _reflected(model: Mixing, shares: Tensor, weights: Tensor, library: Tensor) -> Tensor:
    """Return all reflections over the first, shape (T, D * D, K)."""
    reflected = total = torch.ones(1)
    for h in model.reflections(shares, weights):
        reflected = reflected * (h @ library.T)
        total = total + reflected
    return total


def _abundances(pixels: Tensor, endmembers: Floats, factor: Tensor) -> Tensor:
    """Return the best abundances of tiles (T, D * D, K), each pixel with a factor of its own."""
    count = endmembers.shape[1]
    factors = factor.expand_as(pixels).double().numpy().reshape(-1, len(endmembers))
    row = np.full((1, count), SUM)
    found = [
        nnls(
            np.vstack([own[:, None] * endmembers, row]),
            np.append(pixel, SUM),
            maxiter=NNLS_STEPS * count,
        )[0]
        for pixel, own in zip(pixels.double().numpy().reshape(factors.shape), factors, strict=True)
    ]
    return torch.from_numpy(np.stack(found)).float().view(*pixels.shape[:2], count)


def _pairs(scenes: list[Ground]) -> Pairs:
    images = [torch.from_numpy(one.image).float().permute(2, 0, 1) for one in scenes]
    colours = colour_bands(NM, "The planted study")
    return Pairs([image[colours] for image in images], images, NM)


def _rmse(found: Floats, true: Floats) -> float:
    return float(np.sqrt(((found - true) ** 2).mean()))
