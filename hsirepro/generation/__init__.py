"""Generation of hyperspectral tiles: one file per method, one contract for all.

A method fits a model to :class:`~hsirepro.generation.patches.Patches` of a scene,
``fit(patches, *, seed, device, progress, checkpoint, **settings) -> Fitted``, and the model draws
new tiles: ``model.sample(n, size=..., seed=...) -> Samples``.
"""

from __future__ import annotations

from collections.abc import Callable

from hsirepro.generation.hud import HUD, hud
from hsirepro.generation.model import Fitted, Generator, Samples
from hsirepro.generation.mprnet import MPRNet, mprnet
from hsirepro.generation.nulls import (
    NullFlat,
    NullMixtures,
    NullShuffled,
    NullTiles,
    NullUnmixed,
    null_flat,
    null_mixtures,
    null_shuffled,
    null_tiles,
    null_unmixed,
)
from hsirepro.generation.patches import Patches
from hsirepro.generation.ubf import UBF, ubf
from hsirepro.generation.unmixdiff import UnmixDiff, unmixdiff
from hsirepro.generation.vae import VAE, vae
from hsirepro.generation.wgan_gp import WGANGP, wgan_gp

__all__ = ["METHODS", "MODELS", "Fitted", "Generator", "Patches", "Samples"]

METHODS: dict[str, Callable[..., Fitted]] = {
    "null-tiles": null_tiles,
    "null-unmixed": null_unmixed,
    "null-shuffled": null_shuffled,
    "null-mixtures": null_mixtures,
    "null-flat": null_flat,
    "wgan-gp": wgan_gp,
    "vae": vae,
    "mprnet": mprnet,
    "unmixdiff": unmixdiff,
    "ubf": ubf,
    "hud": hud,
}
"""From the name of a method to what fits it."""

MODELS: dict[str, type[Generator]] = {
    "null-tiles": NullTiles,
    "null-unmixed": NullUnmixed,
    "null-shuffled": NullShuffled,
    "null-mixtures": NullMixtures,
    "null-flat": NullFlat,
    "wgan-gp": WGANGP,
    "vae": VAE,
    "mprnet": MPRNet,
    "unmixdiff": UnmixDiff,
    "ubf": UBF,
    "hud": HUD,
}
"""From the name of a method to the class of its models."""
