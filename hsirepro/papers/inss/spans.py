"""What the library spans: pixels as linear mixtures of it, with the best abundances there are.

INSS explains by nonlinear mixing what linear mixtures leave. This study asks how much that is, with
no network and no colours: for pixels y of the training images it alternates between abundances
and the factor t of Sun, air and sensor,

    a_p = argmin |y_p - t * (R a)|^2 over a >= 0, sum a = 1,
    t_b = sum_p y_pb (R a_p)_b / sum_p (R a_p)_b^2,

each step the best there is, so that the error never grows. What is left at the end is more than the
best linear model of this library leaves; and where t ends, from a start that knows nothing of the
Sun, tells what the images know of it. The same t is then tried on other places.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from hsirepro.papers.inss.scenes import FULL_SCALE, Dataset
from hsirepro.records import Meter, Record, RecordKey, provenance
from hsirepro.recovery.inss import Start, first_atmosphere
from hsirepro.recovery.pairs import Pairs

SPANNED = "spans"
METHODS: Mapping[str, Start] = MappingProxyType(
    {"library-start": "library", "flat-start": "flat", "random-start": "random"}
)
"""Where t starts, by the name of the row."""
PIXELS: Mapping[str, int] = MappingProxyType({"smoke": 40, "quick": 500, "paper": 2000})
STEPS: Mapping[str, int] = MappingProxyType({"smoke": 3, "quick": 20, "paper": 100})
SUM = 10.0  # weight of the sum to one, against reflectances below 1
PRESENT = 1e-3  # share from which a spectrum counts as part of a pixel
NNLS_STEPS = 10  # per spectrum of the library, before SciPy gives up

Floats = NDArray[np.float64]


def spans_record(key: RecordKey, data: Dataset) -> Record:
    """Return the record of one alternation.

    Returns
    -------
    Record
        Metrics: root mean square error in counts with the first t, with the last, and with the
        last on the test images; correlation of the first and last t with the light of the Sun;
        and how many spectra a pixel has. Arrays: both t, that light, and the spectra of the
        library by how much of the images they are. Curve: the error (counts) by ``step``.
    """
    R = data.library.values.T.astype(np.float64)
    train, test = (
        random_pixels(data.sides[side], PIXELS[key.profile], key.seed) for side in ("train", "test")
    )
    mean = data.sides["train"].band_statistics()[0]
    with Meter() as meter, torch.random.fork_rng():
        torch.manual_seed(key.seed)
        begin = first_atmosphere(mean, torch.from_numpy(R).float(), METHODS[key.method])
        first = begin.double().numpy()
        t, shares, errors = alternate(train, R, first, STEPS[key.profile])
        elsewhere = mixture_error(test, R, t, abundances(test, R, t))
    metrics = {
        "RMSE": errors[-1],
        "RMSE with the first t": errors[0],
        "RMSE on the test images": elsewhere,
        "spectra in a pixel": float((shares > PRESENT).sum(axis=0).mean()),
    }
    arrays = {
        "wavelength": data.library.wavelength.values,
        "first": first,
        "atmosphere": t,
        "mean_abundances": shares.mean(axis=1),
    }
    if data.irradiance is not None:
        arrays["irradiance"] = data.irradiance
        metrics["correlation with the Sun"] = alike(t, data.irradiance)
        metrics["correlation of the first t"] = alike(first, data.irradiance)
    curves = {"step": np.arange(len(errors), dtype=np.float64), "error": np.array(errors)}
    settings = {
        "pixels": train.shape[1],
        "steps": STEPS[key.profile],
        "start": METHODS[key.method],
        "notes": list(data.notes),
    }
    sources = provenance(
        seed=key.seed,
        data_sha256=data.sha256,
        wall_time_s=meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device="cpu",
    )
    return Record(
        key, metrics, curves, arrays, {}, {**settings, "notes": list(data.notes)}, sources
    )


def alternate(
    pixels: Floats, R: Floats, t: Floats, steps: int
) -> tuple[Floats, Floats, list[float]]:
    """Return t and abundances after some steps, and the error in counts before each and at the end.

    Parameters
    ----------
    pixels : ndarray, shape (K, N)
    R : ndarray, shape (K, N_g)
        The library.
    t : ndarray, shape (K,)
        Where to start.
    steps : int
    """
    errors = []
    for _ in range(steps):
        shares = abundances(pixels, R, t)
        errors.append(mixture_error(pixels, R, t, shares))
        mixed = R @ shares
        t = (pixels * mixed).sum(axis=1) / np.maximum((mixed**2).sum(axis=1), 1e-12)
    shares = abundances(pixels, R, t)
    return t, shares, [*errors, mixture_error(pixels, R, t, shares)]


def abundances(pixels: Floats, R: Floats, t: Floats) -> Floats:
    """Return the abundances that explain pixels best, shape (N_g, N).

    By SciPy's active sets: a library of 345 spectra of similar soils is so ill-conditioned that the
    alternating directions of :func:`hsirepro.unmixing.fcls` take a hundred times as long.
    """
    E = np.vstack([t[:, None] * R, np.full((1, R.shape[1]), SUM)])
    most = NNLS_STEPS * R.shape[1]
    return np.stack([nnls(E, np.append(pixel, SUM), maxiter=most)[0] for pixel in pixels.T], axis=1)


def mixture_error(pixels: Floats, R: Floats, t: Floats, shares: Floats) -> float:
    """Return the root mean square error of mixtures in counts."""
    left = t[:, None] * (R @ shares) - pixels
    return FULL_SCALE * float(np.sqrt((left**2).mean()))


def random_pixels(pairs: Pairs, count: int, seed: int) -> Floats:
    """Return some pixels of images, shape (K, count), the same for the same seed."""
    everything = torch.cat([image.flatten(1) for image in pairs.hsi], dim=1).double().numpy()
    chosen = np.random.default_rng(seed).permutation(everything.shape[1])[:count]
    return np.asarray(everything[:, np.sort(chosen)])


def alike(one: Floats, other: Floats) -> float:
    """Return the correlation of two curves; 0 where one is flat."""
    spread = one.std() * other.std()
    return (
        float(((one - one.mean()) * (other - other.mean())).mean() / spread)
        if spread > 1e-9
        else 0.0
    )
