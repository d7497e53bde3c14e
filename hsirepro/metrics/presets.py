"""The metrics of each paper, with the definitions its numbers were made with.

Names of metrics are those printed in the paper's tables. HUD has no entry: its tables hold point
fidelity, block diversity, IS and FID, none of which compares an image with its own truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from hsirepro.errors import ParameterError, suggest
from hsirepro.metrics.full_reference import ergas, mrae, psnr, rmse, sam
from hsirepro.metrics.pairs import Image, aligned
from hsirepro.metrics.structural import ssim

Better = Literal["higher", "lower"]
_UINT16_MAX = 65535


@dataclass(frozen=True)
class Measure:
    """One column of a table: a metric with its options fixed.

    Attributes
    ----------
    function : callable
        From :mod:`hsirepro.metrics`.
    better : {"higher", "lower"}
    unit : str
        ``"dB"``, ``"degree"``, ``"radian"``; empty if the value has no unit or that of the image.
    options : mapping
        Keywords of ``function``.
    """

    function: Callable[..., float]
    better: Better
    unit: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """The metrics of one paper.

    Attributes
    ----------
    measures : mapping of published name to Measure
    note : str
        What a reader has to know before comparing numbers.
    counts : bool
        Whether images are 16-bit counts, to which the estimate is truncated first.
    """

    measures: Mapping[str, Measure]
    note: str
    counts: bool = False

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric of this paper."""
        return {name: measure.unit for name, measure in self.measures.items()}


def _preset(note: str, counts: bool = False, **measures: Measure) -> Preset:
    return Preset(MappingProxyType(measures), note, counts)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "hyconet": _preset(
            "PSNR against the maximum of each reference band. SAM is the true spectral angle; the "
            "function of the released code takes angles between image rows. ERGAS, RMSE and MRAE "
            "are in the paper only: ERGAS as in HySure, MRAE with eps = 0.001 of our choice, which "
            "keeps dark pixels of reflectance images finite.",
            mPSNR=Measure(psnr, "higher", "dB", {"peak": "reference-band-max"}),
            mSAM=Measure(sam, "lower", "degree", {"angle_unit": "degrees"}),
            ERGAS=Measure(ergas, "lower", options={"ratio": None}),
            RMSE=Measure(rmse, "lower"),
            MRAE=Measure(mrae, "lower", options={"eps": 1e-3}),
        ),
        "inss": _preset(
            "On 16-bit counts, the estimate truncated to whole counts. The peak of 65535 is far "
            "above the counts of the scenes (mean near 1000): PSNR and SSIM come out high by "
            "construction.",
            counts=True,
            RMSE=Measure(rmse, "lower"),
            MRAE=Measure(mrae, "lower", options={"eps": 1.0}),
            SAM=Measure(sam, "lower", "radian", {"angle_unit": "radians"}),
            MSSIM=Measure(ssim, "higher", "", {"data_range": 65535.0, "window": "gaussian"}),
            MPSNR=Measure(psnr, "higher", "dB", {"peak": 65535.0}),
        ),
        "msf-diff": _preset(
            "On images scaled to [0, 1]. SAD is the spectral angle without all-zero pixels. ERGAS "
            "is computed by the released code at ratio 4, and not printed in the paper.",
            RMSE=Measure(rmse, "lower"),
            PSNR=Measure(psnr, "higher", "dB", {"peak": 1.0}),
            SSIM=Measure(ssim, "higher", "", {"data_range": 1.0, "window": "uniform"}),
            SAD=Measure(sam, "lower", "degree", {"angle_unit": "degrees", "zero_spectra": "skip"}),
            ERGAS=Measure(ergas, "lower", options={"ratio": 4}),
        ),
        "semantic-rgb2hsi": _preset(
            "On images scaled to [0, 1]. ASSIM is what the released code computes: it leaves the "
            "data range to its library, which took 2 for floating point. ASSIM_range1 is the same "
            "with the range that the data have, and is lower.",
            PSNR=Measure(psnr, "higher", "dB", {"peak": 1.0}),
            ASSIM=Measure(ssim, "higher", "", {"data_range": 2.0, "window": "uniform"}),
            ASSIM_range1=Measure(ssim, "higher", "", {"data_range": 1.0, "window": "uniform"}),
            SAM=Measure(sam, "lower", "degree", {"angle_unit": "degrees", "eps": 1e-6}),
        ),
    }
)


def _agreed(attribute: str) -> dict[str, Any]:
    """Collect an attribute of all measures, where all papers that use the name agree on it."""
    found: dict[str, set[Any]] = {}
    for preset in PRESETS.values():
        for name, measure in preset.measures.items():
            found.setdefault(name, set()).add(getattr(measure, attribute))
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


UNITS: Mapping[str, str] = MappingProxyType(_agreed("unit"))
"""Unit of each published metric. SAM is not here, being in degrees in one paper and in radians in
another: ask ``PRESETS[paper].units``."""

BETTER: Mapping[str, Better] = MappingProxyType(_agreed("better"))
"""Whether a ``"higher"`` or a ``"lower"`` value of each published metric is better."""


def evaluate(
    estimate: Image, reference: Image, preset: str = "hyconet", ratio: float | None = None
) -> dict[str, float]:
    """Score an estimate with all metrics of one paper.

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    preset : str
        A key of :data:`PRESETS`.
    ratio : float, optional
        Ratio of ground sampling distances for ERGAS. Needed where the paper has no fixed one, and
        refused where the paper has no ERGAS.

    Returns
    -------
    dict of str to float
        Published metric name to value.

    Raises
    ------
    ParameterError
        If the preset is unknown, or ``ratio`` is missing or of no use.
    ShapeError, WavelengthError, PixelError
        If the images cannot be compared.

    Examples
    --------
    >>> truth = np.linspace(0.1, 0.9, 8 * 8 * 4).reshape(8, 8, 4)
    >>> {name: round(v, 2) for name, v in evaluate(truth * 1.1, truth, ratio=4).items()}
    {'mPSNR': 24.21, 'mSAM': 0.0, 'ERGAS': 2.76, 'RMSE': 0.06, 'MRAE': 0.1}
    """
    chosen = _find_preset(preset)
    _check_ratio(chosen, preset, ratio)
    if chosen.counts:
        estimate, reference = _as_counts(estimate, reference, preset)
    scores = {}
    for name, measure in chosen.measures.items():
        options = dict(measure.options)
        if "ratio" in options and ratio is not None:
            options["ratio"] = ratio
        scores[name] = measure.function(estimate, reference, **options)
    return scores


def _find_preset(name: str) -> Preset:
    if name in PRESETS:
        return PRESETS[name]
    if name == "hud":
        raise ParameterError(
            "HUD has no full-reference metrics: its tables compare sets of images.",
            next_step=suggest("", PRESETS),
        )
    raise ParameterError(f"Preset {name!r} is unknown.", next_step=suggest(str(name), PRESETS))


def _check_ratio(preset: Preset, name: str, ratio: float | None) -> None:
    fixed = [m.options["ratio"] for m in preset.measures.values() if "ratio" in m.options]
    if ratio is not None and not fixed:
        raise ParameterError(
            f"Preset '{name}' has no metric that takes a ratio, ratio={ratio!r} was given.",
            next_step="leave ratio out",
        )
    if ratio is None and None in fixed:
        raise ParameterError(
            f"Preset '{name}' needs the ratio of ground sampling distances for ERGAS.",
            next_step="evaluate(..., ratio=4)",
        )


def _as_counts(estimate: Image, reference: Image, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Truncate the estimate to 16-bit counts, values outside their range to its ends."""
    x, g = aligned(estimate, reference)
    if g.max() < 2:
        raise ParameterError(
            f"Preset '{name}' works on 16-bit counts, this reference reaches only {g.max():g}.",
            next_step="scale both images back to counts",
        )
    return np.clip(x, 0, _UINT16_MAX).astype(np.uint16), g
