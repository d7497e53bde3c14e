"""What the record of a recovery method holds: scores of the test images, spectra, and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsirepro.metrics.full_reference import mrae_map, psnr, rmse_map, sam_map
from hsirepro.metrics.presets import evaluate
from hsirepro.papers.inss.scenes import FULL_SCALE, Dataset
from hsirepro.records import Record, RecordKey
from hsirepro.recovery import Fitted, Recovered
from hsirepro.recovery.inss_net import INSS
from hsirepro.scenes.cube import make_cube

BEYOND = "beyond one reflection"
EXCHANGED = "change by exchanged tiles"
OWN_PEAK = "MPSNR of the own peak, bands not given"
NOT_GIVEN = "MPSNR of bands not given"
LAST = "MPSNR of the last step"
PICKED = 6  # pixels whose spectra are kept
MOST = 6  # abundance maps that are kept: those of the largest share of the scene
LEVELS = 255.0
BANDS_SHOWN = (550.0, 1000.0, 1650.0)
"""Wavelengths in nm between the ends, where images of bands are kept if any are near."""
NEAR = 30.0  # nm
PICTURE_SCALES = {"rmse": 2000.0, "sam": 30.0, "mrae": 1.0}
"""Counts, degrees and shares that are white in the maps of errors."""


def record_of(
    key: RecordKey,
    fitted: Fitted,
    data: Dataset,
    sources: Mapping[str, object],
    *,
    pictures: bool,
) -> Record:
    """Score a fitted model on the test images and put its record together.

    Parameters
    ----------
    key : RecordKey
    fitted : Fitted
    data : Dataset
    sources : mapping
        Provenance.
    pictures : bool
        Whether to keep pictures of the first test image.

    Returns
    -------
    Record
        Metrics of the paper, each the mean over the test images, on counts; its PSNR in two other
        ways, see :func:`scores_of`; and that of the model after the last step. Arrays: by
        band the root mean square error (counts); spectra of six pixels, true and made; the
        atmosphere, beside the light of the Sun at the ground, and the mean abundances, where the
        method has them.
    """
    test, names = data.sides["test"], data.names["test"]
    scores: dict[str, list[float]] = {}
    errors, first = [], None
    for rgb, hsi in zip(test.rgb, test.hsi, strict=True):
        made = fitted.model.reconstruct(rgb, seed=key.seed)
        first = first or made
        for name, value in scores_of(made.image, hsi, data.given).items():
            scores.setdefault(name, []).append(value)
        errors.append(((made.image - hsi) * FULL_SCALE).square().flatten(1).mean(dim=1))
        if fitted.last is not None:
            last = fitted.last.reconstruct(rgb, seed=key.seed).image
            scores.setdefault(LAST, []).append(evaluate(*counts(last, hsi), "inss")["MPSNR"])
    assert first is not None
    metrics = {name: float(np.mean(values)) for name, values in scores.items()}
    metrics |= {f"MPSNR of {n}": v for n, v in zip(names, scores["MPSNR"], strict=True)}
    truth = test.hsi[0]
    rows, columns = picked_pixels(truth)
    arrays: dict[str, np.ndarray] = {
        "wavelength": data.library.wavelength.values,
        "rmse_by_band": torch.stack(errors).mean(dim=0).sqrt().numpy(),
        "picked": np.stack([rows, columns]),
        "spectra_true": truth[:, rows, columns].T.numpy() * FULL_SCALE,
        "spectra_made": first.image[:, rows, columns].T.numpy() * FULL_SCALE,
    }
    settings: dict[str, Any] = {
        "bands": test.bands,
        "notes": list(data.notes),
        "test images": list(names),
        "training images": list(data.names["train"]),
        "given bands": list(data.given),
        **fitted.settings,
    }
    if isinstance(fitted.model, INSS):
        metrics |= mixing_scores(fitted.model, test.rgb[0])
        arrays["atmosphere"] = fitted.model.atmosphere.detach().clamp_min(0.0).numpy()
        if data.irradiance is not None:
            arrays["irradiance"] = data.irradiance
    images: dict[str, np.ndarray] = {}
    if first.abundances is not None:
        shares = first.abundances.mean(dim=(1, 2))
        arrays["mean_abundances"] = shares.numpy()
        most = shares.argsort(descending=True)[:MOST].tolist()
        settings["mapped"] = [str(data.library.title.values[i]) for i in most]
        chapters = data.library.chapter.values
        settings["chapters"] = sorted(set(chapters.tolist()))
        if pictures:
            images["abundances"] = side_by_side(first.abundances[most])
            sums = [first.abundances[chapters == c].sum(dim=0) for c in settings["chapters"]]
            images["chapters"] = side_by_side(torch.stack(sums))
    if pictures:
        images |= pictures_of(first, truth, arrays["wavelength"])
        shown = bands_shown(arrays["wavelength"])
        top = truth[shown].flatten(1).quantile(0.995, dim=1).clamp_min(1e-6).view(-1, 1, 1)
        images["bands_true"] = side_by_side(truth[shown] / top)
        images["bands_made"] = side_by_side(first.image[shown] / top)
        settings |= {"picture_scales": PICTURE_SCALES, "bands_shown": shown}
    return Record(key, metrics, fitted.curves, arrays, images, settings, sources)


def scores_of(made: Tensor, true: Tensor, given: tuple[int, ...] = ()) -> dict[str, float]:
    """Return the paper's metrics of an image, and what its PSNR is without two habits of it.

    Parameters
    ----------
    made, true : Tensor, shape (L, H, W)
    given : tuple of int
        Bands that are the input itself. The paper counts them, and who returns them as they are
        has a dB or two more for it.

    Returns
    -------
    dict of float
        Those of the paper; PSNR of the other bands; and that with the largest count of the image
        as its peak, in place of 65535.
    """
    x, g = counts(made, true)
    kept = [band for band in range(len(true)) if band not in given]
    return {
        **evaluate(x, g, "inss"),
        NOT_GIVEN: psnr(x[:, :, kept], g[:, :, kept], peak=65535.0),
        OWN_PEAK: psnr(x[:, :, kept], g[:, :, kept], peak=float(g.max())),
    }


@torch.no_grad()
def mixing_scores(model: INSS, rgb: Tensor) -> dict[str, float]:
    """Return what the mixing model adds to the linear one, and what of it hangs on the tile.

    Parameters
    ----------
    model : INSS
    rgb : Tensor, shape (3, H, W)

    Returns
    -------
    dict of float
        In %: the mean change by all further reflections over the mean of the first, and the mean
        change of the image when tiles exchange their weights, turned by half a circle, over its
        mean. Empty where the model is linear, or the image smaller than F's coarsest pixel.
    """
    rows, columns = (side // model.multiple * model.multiple for side in rgb.shape[1:])
    if model.transform is None or not rows or not columns:
        return {}
    model.eval()
    abundances, weights = model.mixing_models(rgb[None, :, :rows, :columns])
    assert weights is not None  # as there is a T
    given = (model.library, model.atmosphere.clamp_min(0.0))
    image, linear = model.mixing(abundances, weights, *given)
    other, _ = model.mixing(abundances, weights.flip(2, 3), *given)
    return {
        BEYOND: float(100 * (image - linear).abs().mean() / linear.abs().mean()),
        EXCHANGED: float(100 * (image - other).abs().mean() / image.abs().mean()),
    }


def counts(made: Tensor, true: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return two images as counts, shape (H, W, L)."""
    x, g = (FULL_SCALE * image.permute(1, 2, 0).double().numpy() for image in (made, true))
    return x, g


def bands_shown(wavelength: np.ndarray) -> list[int]:
    """Return the numbers of the bands whose images a record keeps.

    The shortest and the longest, which sensors see worst, and some between that are near enough.

    Examples
    --------
    >>> bands_shown(np.array([402.0, 545.0, 610.0, 703.0]))
    [0, 1, 3]
    """
    nearest = [int(np.abs(wavelength - nm).argmin()) for nm in BANDS_SHOWN]
    found = [
        b for b, nm in zip(nearest, BANDS_SHOWN, strict=True) if abs(wavelength[b] - nm) < NEAR
    ]
    return list(dict.fromkeys([int(wavelength.argmin()), *found, int(wavelength.argmax())]))


def side_by_side(maps: Tensor) -> np.ndarray:
    """Return maps of 0 to 1, shape (n, H, W), as one picture of whole levels, shape (H, n W)."""
    levels = (LEVELS * maps.clamp(0, 1)).round().to(torch.uint8)
    return torch.cat(list(levels), dim=1).numpy()


def picked_pixels(image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of six pixels that differ as much as they can.

    The brightest pixel, and then each time the one whose spectrum, of unit length, lies furthest
    from those picked; the same for every method, since they look at the truth alone.

    Examples
    --------
    >>> image = torch.eye(6).view(6, 2, 3) + 0.01
    >>> rows, columns = picked_pixels(image)
    >>> len(set(zip(rows.tolist(), columns.tolist())))
    6
    """
    pixels = image.flatten(1)
    unit = torch.nn.functional.normalize(pixels, dim=0)
    lit = pixels.mean(dim=0) > pixels.mean() / 4  # noise decides the direction of dark pixels
    chosen = [int(pixels.mean(dim=0).argmax())]
    while len(chosen) < min(PICKED, pixels.shape[1]):
        nearest = (unit.T @ unit[:, chosen]).amax(dim=1)
        chosen.append(int(torch.where(lit, nearest, 2.0).argmin()))
    rows, columns = np.divmod(np.array(chosen), image.shape[2])
    return rows, columns


def pictures_of(made: Recovered, truth: Tensor, wavelength: np.ndarray) -> dict[str, np.ndarray]:
    """Return false colours of the truth and of what was made of it, and maps of the errors."""
    from hsirepro.report.colour import false_colour, stretch_of  # only who draws needs it

    x, g = counts(made.image, truth)
    cubes = {"made": make_cube(x, wavelength), "true": make_cube(g, wavelength)}
    stretch = stretch_of(cubes["true"])
    images = {name: false_colour(cube, stretch=stretch) for name, cube in cubes.items()}
    maps = {
        "rmse": rmse_map(x, g),
        "sam": sam_map(x, g, angle_unit="degrees"),
        "mrae": mrae_map(x, g, eps=1.0),
    }
    for name, values in maps.items():
        share = np.clip(values / PICTURE_SCALES[name], 0.0, 1.0)
        images[name] = np.round(LEVELS * share).astype(np.uint8)
    return images
