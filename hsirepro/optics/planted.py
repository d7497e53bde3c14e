"""The planted scene as a sensor pair would see it, with everything that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hsirepro.optics.degrade import Degraded, degrade
from hsirepro.optics.responses import landsat8_oli
from hsirepro.scenes.simulate import PlantedScene, simulate


@dataclass(frozen=True)
class PlantedPair:
    """A simulated pair and its whole truth.

    Parameters
    ----------
    scene : PlantedScene
        The cube, and its endmembers, abundances, illumination and atmosphere.
    pair : Degraded
        HSI and MSI, and the PSF and SRF that made them.
    """

    scene: PlantedScene
    pair: Degraded


def planted_pair(
    *,
    ratio: int = 4,
    sigma: float = 0.5,
    bands: tuple[str, ...] = ("blue", "green", "red"),
    snr_hsi: float | None = None,
    snr_msi: float | None = None,
    seed: int = 0,
    **scene: Any,
) -> PlantedPair:
    """Simulate a scene, and the HSI and MSI that would be taken of it.

    Parameters
    ----------
    ratio : int
        Ground sampling distance of the HSI over that of the MSI.
    sigma : float
        Width of the Gaussian point spread, MSI pixels.
    bands : tuple of str
        Landsat 8 OLI bands of the MSI.
    snr_hsi, snr_msi : float, optional
        Signal-to-noise ratio added by the two cameras, dB; none by default.
    seed : int
        Of the scene and of the noise.
    **scene
        Further arguments of :func:`hsirepro.scenes.simulate.simulate`, such as ``size``.

    Returns
    -------
    PlantedPair

    Examples
    --------
    >>> planted = planted_pair(size=32, ratio=4, sigma=1.0)
    >>> planted.scene.abundances.shape[:2], tuple(planted.pair.psf.kernel.shape)
    ((32, 32), (4, 4))
    >>> planted.pair.srf.names
    ('blue', 'green', 'red')
    """
    truth = simulate(seed=seed, **scene)
    srf = landsat8_oli(truth.cube.wavelength.values, bands)
    pair = degrade(
        truth.cube,
        ratio=ratio,
        sigma=sigma,
        srf=srf,
        snr_hsi=snr_hsi,
        snr_msi=snr_msi,
        seed=seed,
    )
    return PlantedPair(truth, pair)
