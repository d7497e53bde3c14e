"""Unmixing before fusion (UBF): UnmixDiff whose encoder sees three bands only.

The encoder turns a pseudo-RGB tile into abundances, the decoder answers with all bands, and the
rest is UnmixDiff's (``unmixdiff.py``), version by version. That an image of three bands can be
unmixed at all is the point: the diffusion could learn from photographs as well. Here as in the
comparison with HUD it learns from the scene's own tiles.

==========  =====================================================================================
version     bands that the encoder sees
==========  =====================================================================================
repaired    nearest to 650, 550 and 470 nm
release     numbers 7, 17 and 27 (from 0), blue to red on the 31 bands of ARAD, for which they
            were chosen; elsewhere what they may be (435, 487 and 538 nm on Chikusei). Stretched
            to [0, 1] by themselves, apart from the tile
==========  =====================================================================================

Version ``repaired`` needs the wavelengths of the bands, within 40 nm of each colour.

References
----------
.. [1] Y. Yu, E. Pan, X. Wang, Y. Wu, X. Mei, J. Ma, "Unmixing before fusion: a generalized
   paradigm for multi-source-based hyperspectral image synthesis", IEEE/CVF CVPR, 2024.
"""

from __future__ import annotations

from pathlib import Path

from hsirepro.errors import ParameterError
from hsirepro.generation.model import Fitted
from hsirepro.generation.patches import Patches
from hsirepro.generation.unmixdiff import PRESETS, UnmixDiff, Version, fit_abundances
from hsirepro.training import own_randomness, settled

NUMBERS = (7, 17, 27)


class UBF(UnmixDiff):
    """The scene autoencoder of pseudo-RGB tiles and the diffusion of its abundances."""


def pseudo_rgb(patches: Patches, version: Version) -> list[int]:
    """Return the numbers of the three bands that the encoder sees, from 0.

    Parameters
    ----------
    patches : Patches
    version : {"repaired", "release"}

    Returns
    -------
    list of 3 int

    Raises
    ------
    ParameterError
        If the release's bands are not there.
    WavelengthError
        If there are no wavelengths, or none near a colour.
    """
    if version == "release":
        if patches.bands <= NUMBERS[-1]:
            raise ParameterError(
                f"UBF as released takes bands {NUMBERS} of 28 or more; here are {patches.bands}.",
                next_step="version='repaired', which goes by wavelength",
            )
        return list(NUMBERS)
    return patches.rgb_bands("UBF")


@own_randomness()
def ubf(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit Unmixing before fusion to the tiles of a scene.

    Parameters
    ----------
    patches : Patches
        With ``wavelength``, unless ``version="release"`` is asked for.
    seed, device, progress, checkpoint, preset, **settings
        As in :func:`~hsirepro.generation.unmixdiff.unmixdiff`.

    Returns
    -------
    Fitted
        Its setting ``inputs`` names the bands that the encoder sees.

    Raises
    ------
    ParameterError, WavelengthError
        If a setting is unknown or impossible, if the three bands are not there, or if the loss
        stops being finite.
    """
    config = settled(PRESETS, preset, settings, "UBF")
    return fit_abundances(
        patches,
        UBF,
        inputs=pseudo_rgb(patches, config.version),
        config=config,
        title="UBF",
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
    )
