"""The model of INSS: abundances, what Sun and sensor do, and how a library's spectra mix.

``inss.py`` says what it is for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.recovery.abundance_net import MULTIPLE, REACH, AbundanceNet, Norm
from hsirepro.recovery.mixing import Composition, Mixing, Origin
from hsirepro.recovery.model import Recoverer

TRANSFORM_START = 0.002  # standard deviation of T's first weights
TRANSFORM_WIDTH = 64


class INSS(Recoverer):
    """F, T, t and the library of one kind of image.

    Parameters
    ----------
    bands, materials : int
        Numbers K and N_g.
    width : int
        Of F.
    order, hidden, tile, told_abundances, composition, origin
        Of the mixing model.
    norm, signed, spectral_norm, detached
        As in :class:`~hsirepro.recovery.inss.INSSConfig`.
    """

    multiple = MULTIPLE
    reach = REACH
    library: Tensor
    colour_mean: Tensor
    colour_scale: Tensor

    def __init__(
        self,
        *,
        bands: int,
        materials: int,
        width: int,
        order: int = 3,
        hidden: tuple[int, ...] = (32,),
        tile: int = 16,
        told_abundances: bool = True,
        composition: Composition = "elementwise",
        origin: Origin = "centre",
        norm: Norm = "running",
        signed: bool = True,
        spectral_norm: bool = False,
        detached: bool = False,
    ) -> None:
        super().__init__()
        self.bands, self.signed, self.detached = bands, signed, detached
        if norm == "batch":
            self.least = 2 * MULTIPLE  # one pixel of the coarsest features has no variance
        self.mixing = Mixing(
            materials, order, tuple(hidden), tile, told_abundances, composition, origin
        )
        self.shape = {
            "bands": bands,
            "materials": materials,
            "width": width,
            "order": order,
            "hidden": list(hidden),
            "tile": tile,
            "told_abundances": told_abundances,
            "composition": composition,
            "origin": origin,
            "norm": norm,
            "signed": signed,
            "spectral_norm": spectral_norm,
            "detached": detached,
        }
        self.net = AbundanceNet(width, materials, norm)
        self.atmosphere = nn.Parameter(torch.ones(bands))
        self.register_buffer("library", torch.zeros(bands, materials))
        self.register_buffer("colour_mean", torch.zeros(3))
        self.register_buffer("colour_scale", torch.ones(3))
        self.transform: nn.Module | None = None
        if order > 1:
            if tile not in self.net.widths:
                raise ParameterError(
                    f"F has no features {tile} times coarser than the image.",
                    hint="take a tile of " + ", ".join(map(str, sorted(self.net.widths))),
                )
            self.transform = transform(
                self.net.widths[tile], self.mixing.weights_per_tile, spectral_norm
            )

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image``, ``abundances`` and ``linear``, the image of one reflection alone."""
        scale = self.colour_scale[:, None, None]
        abundances, features = self.net((rgb - self.colour_mean[:, None, None]) / scale)
        weights = None
        if self.transform is not None:
            given = features[self.mixing.tile]
            weights = self.transform(given.detach() if self.detached else given).float()
            weights = weights if self.signed else F.relu(weights)
        image, linear = self.mixing(abundances, weights, self.library, F.relu(self.atmosphere))
        return {"image": image, "abundances": abundances, "linear": linear}


def transform(channels: int, weights: int, spectral_norm: bool) -> nn.Sequential:
    """Return T: a 3 x 3 and a 1 x 1 convolution."""
    first = nn.Conv2d(channels, TRANSFORM_WIDTH, 3, padding=1, padding_mode="reflect")
    last = nn.Conv2d(TRANSFORM_WIDTH, weights, 1)
    for conv in (first, last):
        nn.init.normal_(conv.weight, std=TRANSFORM_START)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    bounded = nn.utils.parametrizations.spectral_norm(first) if spectral_norm else first
    return nn.Sequential(bounded, nn.ReLU(), last)
