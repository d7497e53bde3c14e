"""Null models: tiles that no generator should be proud to equal, to see what a metric can tell.

==================  ==========================================================================
``null-tiles``      real tiles, copied: as faithful as can be, and nothing new
``null-unmixed``    real tiles, copied as the endmembers can explain them: nothing new, and the most
                    that a perfect diffusion of abundances could reach
``null-shuffled``   real pixels in random places: every spectrum real, no spatial structure
``null-mixtures``   random points of the simplex, mixed by the scene's endmembers, each pixel on
                    its own: obeys the mixing model, and has neither the scene's abundances nor
                    structure
``null-flat``       one grey everywhere, of the scene's mean level: no spectrum, no structure, no
                    variety
==================  ==========================================================================

A metric on which a null beats the methods does not measure what the methods are for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hsirepro.generation.model import Fitted, Generator, Samples, check_count, no_other_ways
from hsirepro.generation.patches import Patches
from hsirepro.unmixing.autoencoder import UnmixingAutoencoder, mixed, unmixing_autoencoder

Kept = TypeVar("Kept", bound="NullTiles")


class NullTiles(Generator):
    """Real tiles at random positions."""

    image: Tensor

    def __init__(self, *, size: int, image: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = {"size": size, "image": image}
        self.size = size
        self.net = nn.Identity()
        self.register_buffer("image", torch.zeros(image))

    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Copy tiles; see :class:`Generator`."""
        no_other_ways(how, "A null model")
        check_count(count)
        generator = torch.Generator().manual_seed(seed)
        return Samples(Patches([self.image], size or self.size).draw(count, generator).clone())


class NullUnmixed(NullTiles):
    """Tiles of the scene as its endmembers explain it."""


class NullShuffled(NullTiles):
    """Real pixels, each anywhere."""

    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Draw pixels with replacement; see :class:`Generator`."""
        no_other_ways(how, "A null model")
        check_count(count)
        side = size or self.size
        pixels = self.image.flatten(1)
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randint(pixels.shape[1], (count * side * side,), generator=generator)
        return Samples(pixels[:, chosen].reshape(-1, count, side, side).transpose(0, 1).clone())


class NullMixtures(Generator):
    """Independent mixtures, uniform on the simplex."""

    endmembers: Tensor

    def __init__(self, *, size: int, bands: int, endmembers: int) -> None:
        super().__init__()
        self.shape = {"size": size, "bands": bands, "endmembers": endmembers}
        self.size = size
        self.net = nn.Identity()
        self.register_buffer("endmembers", torch.zeros(bands, endmembers))

    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Draw abundances pixel by pixel; see :class:`Generator`."""
        no_other_ways(how, "A null model")
        check_count(count)
        side = size or self.size
        generator = torch.Generator().manual_seed(seed)
        p = self.endmembers.shape[1]
        # Exponential variables over their sum are uniform on the simplex.
        waits = torch.empty(count, p, side, side).exponential_(generator=generator)
        abundances = waits / waits.sum(dim=1, keepdim=True)
        return Samples(mixed(self.endmembers, abundances), abundances)


class NullFlat(Generator):
    """One grey, the same in all bands and all pixels."""

    level: Tensor

    def __init__(self, *, size: int, bands: int) -> None:
        super().__init__()
        self.shape = {"size": size, "bands": bands}
        self.size, self.bands = size, bands
        self.net = nn.Identity()
        self.register_buffer("level", torch.zeros(()))

    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Fill tiles with the level; see :class:`Generator`."""
        no_other_ways(how, "A null model")
        check_count(count)
        side = size or self.size
        return Samples(self.level.expand(count, self.bands, side, side).clone())


def unlearned(make: Callable[[Patches], Generator]) -> Callable[..., Fitted]:
    """Return the contract's way to fit a model that only keeps something of the patches."""

    def fit(
        patches: Patches,
        *,
        seed: int = 0,
        device: str = "cpu",
        progress: bool = False,
        checkpoint: Path | None = None,
    ) -> Fitted:
        return Fitted(make(patches))

    return fit


def _flat(patches: Patches) -> NullFlat:
    model = NullFlat(size=patches.size, bands=patches.bands)
    model.level.copy_(patches.pixels().mean())
    return model


def _first_image(kind: type[Kept], patches: Patches) -> Kept:
    image = patches.images[0]
    rows, columns = image.shape[1:]
    model = kind(size=patches.size, image=(patches.bands, rows, columns))
    model.image.copy_(image)
    return model


def unmixed(make: Callable[[Patches, UnmixingAutoencoder], Generator]) -> Callable[..., Fitted]:
    """Return the contract's way to fit a model that needs the endmembers, found as HUD does."""

    def fit(
        patches: Patches,
        *,
        seed: int = 0,
        device: str = "cpu",
        progress: bool = False,
        checkpoint: Path | None = None,
        endmembers: int = 9,
    ) -> Fitted:
        autoencoder = unmixing_autoencoder(patches.pixels(), endmembers, seed=seed)
        return Fitted(make(patches, autoencoder), settings={"endmembers": endmembers})

    return fit


def _mixtures(patches: Patches, autoencoder: UnmixingAutoencoder) -> NullMixtures:
    found = autoencoder.endmembers
    model = NullMixtures(size=patches.size, bands=patches.bands, endmembers=found.shape[1])
    model.endmembers.copy_(found)
    return model


def _explained(patches: Patches, autoencoder: UnmixingAutoencoder) -> NullUnmixed:
    model = _first_image(NullUnmixed, patches)
    model.image.copy_(autoencoder.decode(autoencoder.encode(model.image)[None])[0])
    return model


null_tiles = unlearned(partial(_first_image, NullTiles))
null_shuffled = unlearned(partial(_first_image, NullShuffled))
null_flat = unlearned(_flat)
null_mixtures = unmixed(_mixtures)
null_unmixed = unmixed(_explained)
