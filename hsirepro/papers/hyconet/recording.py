"""What the record of a fusion holds: scores, learned optics, and pictures for the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsirepro.fusion import Fused
from hsirepro.metrics import evaluate, mrae_map, rmse_map, sam, sam_map
from hsirepro.optics import Degraded
from hsirepro.records import Record, RecordKey
from hsirepro.scenes.cube import to_tensor

STEPS = {"sam": 0.01, "rmse": 1e-4, "mrae": 1e-3}
"""Value of one grey level of each stored map: degrees, share of the scene's maximum, unitless."""
MAPS = {"sam": "sam_centidegrees", "rmse": "rmse_colour", "mrae": "mrae"}
"""Name of each map among a record's pictures."""
KEPT = ("psf", "srf")  # of what a baseline learned; the rest it learns anew in seconds
POINTS = 200  # of a baseline's curve
DARK = 1e-3  # keeps the relative error of dark pixels finite, as in the metric
PSF_CORRELATION = "PSF correlation"
RELEASED_SAM = "mSAM as released"


def watcher(pair: Degraded) -> Callable[[Tensor], dict[str, float]]:
    """Return a function that scores a fused image, shape (L, H, W), while training goes on.

    The scores join the curves of the record. Training never sees them.
    """
    truth: dict[torch.device, Tensor] = {torch.device("cpu"): to_tensor(pair.truth)}

    def watch(image: Tensor) -> dict[str, float]:
        reference = truth.setdefault(image.device, truth[torch.device("cpu")].to(image.device))
        error = (image - reference).square().mean(dim=(1, 2))
        seen = reference.amax(dim=(1, 2)) > 0  # a band without signal has neither score
        peak = reference.amax(dim=(1, 2))[seen]
        mean = reference.mean(dim=(1, 2))[seen]
        error = error[seen].clamp_min(torch.finfo(error.dtype).tiny)
        return {
            "mPSNR": float((10 * torch.log10(peak.square() / error)).mean()),
            "ERGAS": float(100 / pair.ratio * (error / mean.square()).mean().sqrt()),
        }

    return watch


def record_of(
    key: RecordKey,
    pair: Degraded,
    fused: Fused,
    sources: Mapping[str, object],
    *,
    pictures: bool,
) -> Record:
    """Score a fused cube and put together its record.

    Parameters
    ----------
    key : RecordKey
    pair : Degraded
        The degraded scene with its truth, scaled to a maximum of 1.
    fused : Fused
    sources : mapping
        Provenance.
    pictures : bool
        Whether to store false colour and error maps.

    Returns
    -------
    Record
        Metrics of the ``hyconet`` preset, the angle as the released code computes it, and the
        correlation of a learned PSF with the true one; curves; PSNR by band; learned PSF and SRF
        beside the true ones; pictures.
    """
    metrics = evaluate(fused.cube, pair.truth, "hyconet", ratio=pair.ratio)
    metrics[RELEASED_SAM] = _released_angle(fused.cube, pair.truth)
    whole = fused.cube.attrs["method"] == "hyconet"
    arrays = {
        name: np.asarray(value)
        for name, value in fused.learned.items()
        if (whole and not name.startswith("map:")) or name in KEPT
    }
    curves = fused.curves if whole else {n: _thinned(v) for n, v in fused.curves.items()}
    arrays |= {"true_psf": pair.psf.kernel.numpy(), "true_srf": pair.srf.matrix.numpy()}
    arrays["wavelength"] = pair.truth.wavelength.values
    arrays["psnr_by_band"] = _psnr_by_band(fused.cube, pair.truth)
    if "psf" in arrays and arrays["psf"].shape == arrays["true_psf"].shape:
        metrics[PSF_CORRELATION] = _correlation(arrays["psf"], arrays["true_psf"])
    images = _pictures(fused, pair) if pictures else {}
    settings = {
        "ratio": pair.ratio,
        "msi_bands": list(pair.srf.names),
        "shape": list(pair.truth.shape),
        **fused.settings,
    }
    return Record(key, metrics, curves, arrays, images, settings, sources)


def _thinned(curve: np.ndarray) -> np.ndarray:
    """Return at most POINTS values of a curve, the first and the last among them."""
    index = np.linspace(0, len(curve) - 1, min(len(curve), POINTS)).round().astype(int)
    thin: np.ndarray = np.asarray(curve)[index]
    return thin


def _pictures(fused: Fused, pair: Degraded) -> dict[str, np.ndarray]:
    from hsirepro.report.colour import colour_bands, false_colour, stretch_of

    colours = list(colour_bands(pair.truth))
    maps = {
        "sam": sam_map(fused.cube, pair.truth, angle_unit="degrees"),
        "rmse": rmse_map(fused.cube.values[:, :, colours], pair.truth.values[:, :, colours]),
        "mrae": mrae_map(fused.cube, pair.truth, eps=DARK),
    }
    images = {MAPS[name]: _levels(values, STEPS[name]) for name, values in maps.items()}
    images["false_colour"] = false_colour(fused.cube, stretch=stretch_of(pair.truth))
    for name, value in fused.learned.items():
        if name.startswith("map:"):
            images[name.removeprefix("map:")] = _levels(value.numpy(), STEPS["mrae"])
    return images


def _levels(values: np.ndarray, step: float) -> np.ndarray:
    """Return values as 16-bit grey levels of ``step`` each; what is larger is cut."""
    return np.clip(np.round(values / step), 0, 65535).astype(np.uint16)


def _released_angle(estimate: xr.DataArray, reference: xr.DataArray) -> float:
    """Return the "angle" of the released code: its axes are turned, so it compares image rows."""
    rows = (cube.values.transpose(2, 0, 1) for cube in (estimate, reference))
    return sam(*rows, angle_unit="degrees")


def _psnr_by_band(estimate: xr.DataArray, reference: xr.DataArray) -> np.ndarray:
    truth = reference.values.astype(np.float64)
    error = np.square(estimate.values - truth).mean(axis=(0, 1))
    peak = truth.max(axis=(0, 1))
    # A band without error or without signal has no finite PSNR, and is drawn as a gap.
    fine = (error > 0) & (peak > 0)
    ratio = np.divide(peak**2, error, out=np.ones_like(error), where=fine)
    return np.where(fine, 10 * np.log10(ratio), np.nan)


def _correlation(learned: np.ndarray, truth: np.ndarray) -> float:
    """Return the correlation of two kernels; 0 for a flat one, which resembles nothing."""
    if not (np.ptp(learned) > 0 and np.ptp(truth) > 0):
        return 0.0
    return float(np.corrcoef(learned.ravel(), truth.ravel())[0, 1])
