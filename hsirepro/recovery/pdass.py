"""PDASS: spectra from colours as a linear mixture of a library's spectra.

The U-Net F of INSS gives abundances a, and a pixel's spectrum is their mixture, times one number
per band for what the Sun, the atmosphere and the sensor do:

    s = t * (R a),      a = F(x) >= 0,      sum a = 1.

It is INSS of the first order; what differs are the losses, which count all bands alike and compare
no colours,

    L = |s - s^| + 10 (1 - cos) + 0.01 L_adv,

and the spectral critic, which is wider. INSS's ablation of the first order (Table II, row 6)
prints the numbers of PDASS's row of Table I to the last digit; by the texts they are two trainings
with different losses. Both rows are run here.

References
----------
.. [1] L. Liu, W. Li, Z. Shi, Z. Zou, "Physics-informed hyperspectral remote sensing image synthesis
   with deep conditional generative adversarial networks", IEEE TGRS 60, 2022.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import xarray as xr

from hsirepro.recovery.inss import PRESETS as INSS_PRESETS
from hsirepro.recovery.inss import INSSConfig, fit_mixing
from hsirepro.recovery.model import Fitted
from hsirepro.recovery.pairs import Pairs
from hsirepro.training import own_randomness, settled

_LINEAR = {"order": 1, "band_weights": "none", "hsv": 0.0, "reflections": 0.0}
PRESETS: dict[str, INSSConfig] = {
    "paper": replace(
        INSS_PRESETS["paper"],
        iterations=43_200,
        crop=128,
        critic="pdass",
        critic_width=128,
        epochs=0,  # the released cosine starts late, and swings by the step: left out
        **_LINEAR,  # type: ignore[arg-type]
    ),
    "small": replace(INSS_PRESETS["small"], critic="pdass", **_LINEAR),  # type: ignore[arg-type]
}


@own_randomness()
def pdass(
    pairs: Pairs,
    *,
    library: xr.DataArray | None = None,
    validation: Pairs | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit PDASS to pairs of images.

    Parameters
    ----------
    pairs, library, validation, seed, device, progress, checkpoint
        As for :func:`~hsirepro.recovery.inss.inss`.
    preset : {"small", "paper"}
        A narrow network for a CPU, or the authors' (24 images, 1,800 epochs).
    **settings
        Fields of :class:`~hsirepro.recovery.inss.INSSConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``pixel``, ``cosine`` and the critics' by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, there is no library, a crop is larger than an
        image, or the loss stops being finite.
    WavelengthError
        If the library does not cover the images.
    """
    config = settled(PRESETS, preset, settings, "PDASS")
    return fit_mixing(
        pairs, config, library, validation, seed, device, progress, checkpoint, title="PDASS"
    )
