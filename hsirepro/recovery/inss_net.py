"""The model of INSS: abundances, what Sun and sensor do, and how a library's spectra mix.

``inss.py`` says what it is for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.recovery.abundance_net import GROWTH, REACH, AbundanceNet, Norm
from hsirepro.recovery.mixing import Composition, Mixing, Origin
from hsirepro.recovery.model import Recoverer, check_rgb, padded

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
    norm, stages, signed, spectral_norm, detached
        As in :class:`~hsirepro.recovery.inss.INSSConfig`.
    """

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
        stages: int = len(GROWTH),
        signed: bool = True,
        spectral_norm: bool = False,
        detached: bool = False,
    ) -> None:
        super().__init__()
        self.bands, self.signed, self.detached = bands, signed, detached
        self.multiple, self.reach = 2**stages, REACH * 2**stages
        if norm == "batch":
            self.reach = None  # every pixel has a say in the mean that all are normalised by
            self.least = 2 * self.multiple  # one pixel of the coarsest features has no variance
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
            "stages": stages,
            "signed": signed,
            "spectral_norm": spectral_norm,
            "detached": detached,
        }
        self.net = AbundanceNet(width, materials, norm, stages)
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
        abundances, weights = self.mixing_models(rgb)
        image, linear = self.mixing(abundances, weights, self.library, F.relu(self.atmosphere))
        return {"image": image, "abundances": abundances, "linear": linear}

    def mixing_models(self, rgb: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what decides how each pixel is mixed, but for its place in its tile.

        Parameters
        ----------
        rgb : Tensor, shape (B, 3, H, W)
            Sides that ``multiple`` divides.

        Returns
        -------
        abundances : Tensor, shape (B, N_g, H, W)
        weights : Tensor, shape (B, weights_per_tile, H / D, W / D), or None
            None for the linear model.
        """
        scale = self.colour_scale[:, None, None]
        abundances, features = self.net((rgb - self.colour_mean[:, None, None]) / scale)
        if self.transform is None:
            return abundances, None
        given = features[self.mixing.tile]
        weights = self.transform(given.detach() if self.detached else given).float()
        return abundances, weights if self.signed else F.relu(weights)

    @torch.no_grad()
    def orders(self, rgb: Tensor) -> Tensor:
        """Return what each number of reflections gives of a colour image.

        Parameters
        ----------
        rgb : Tensor, shape (3, H, W)

        Returns
        -------
        Tensor, shape (order, L, H, W)
            Their sum is the image, unless orders are multiplied as matrices.
        """
        check_rgb(rgb)
        self.eval()

        def parts(image: Tensor) -> dict[str, Tensor]:
            given = (*self.mixing_models(image), self.library, F.relu(self.atmosphere))
            return {str(k): part[None] for k, part in enumerate(self.mixing.orders(*given))}

        found = padded(parts, self, rgb.float().to(self.library.device))
        return torch.stack(list(found.values())).cpu()


def transform(channels: int, weights: int, spectral_norm: bool) -> nn.Sequential:
    """Return T: a 3 x 3 and a 1 x 1 convolution."""
    first = nn.Conv2d(channels, TRANSFORM_WIDTH, 3, padding=1, padding_mode="reflect")
    last = nn.Conv2d(TRANSFORM_WIDTH, weights, 1)
    for conv in (first, last):
        nn.init.normal_(conv.weight, std=TRANSFORM_START)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    bounded = nn.utils.parametrizations.spectral_norm(first) if spectral_norm else first
    return nn.Sequential(bounded, nn.ReLU(), last)
