"""MPRNet: spectra for the red, green and blue of a scene's own tiles.

No generative model, but the rival of that kind in the HUD paper: a network learns the way from
three bands to all L of a scene, and "draws" a tile by taking three bands of a random tile of that
scene and giving it spectra. Its tiles are as diverse as what it is given, and no more: their
ground is that of the scene. What it invents is spectra alone.

The network [1]_ restores an image in three stages, each of which starts from a first guess X_0
that one convolution makes of the colours C,

    X_k = X_0 + f_k(X_0, features of stage k - 1),        k = 1, 2, 3,

the first of which encodes the four quarters of a tile, the second its two halves, and the third
works on the whole at full resolution. Between stages the features are weighted by a mask that the
image X_k gives, and those of earlier stages enter the next ones level by level. Layers and
widths are those of the variant for spectra in the toolbox of Cai et al. [2]_, 31 features, where
nothing but the number of bands is changed; as there, the loss is the mean relative absolute
error, here of all three stages as in [1]_,

    L = sum_k mean | X_k - Y | / max(Y, 0.01),

which lets dark bands count as much as bright ones. The floor of a hundredth of full scale is
ours: reflectance can be 0. (The loss of [1]_, for photographs, is absolute, with a term for edges.)

HUD gives it "pseudo RGB images": here the bands nearest to 650, 550 and 470 nm, as they are. So
the method needs wavelengths. Fitted to tiles of 32 x 32, it works on any whose sides 8 divides.
It has no abundances; the model keeps the RGB of its scene.

References
----------
.. [1] S. W. Zamir et al., "Multi-stage progressive image restoration", IEEE/CVF CVPR, 2021.
.. [2] Y. Cai et al., "MST++: multi-stage spectral-wise transformer for efficient spectral
   reconstruction", IEEE/CVF CVPR Workshops, 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.generation.model import (
    Fitted,
    Generator,
    Samples,
    channels_last,
    check_count,
    no_other_ways,
)
from hsirepro.generation.mprnet_net import MPRNetwork
from hsirepro.generation.patches import Patches
from hsirepro.generation.training import AveragedLength, train_averaged
from hsirepro.training import own_randomness, settled

FLOOR = 0.01  # of the reflectance that errors are divided by
LAST_RATE = 1e-6  # of Adam, at the end of the training
MULTIPLE = 8  # halved by the first stage, then twice by its encoder
CHUNK = 16  # tiles given spectra at once


@dataclass(frozen=True)
class MPRNetConfig(AveragedLength):
    """Settings of MPRNet. The learning rate falls by a half cosine to 1e-6.

    Parameters
    ----------
    width : int
        Channels of the features.
    """

    iterations: int = 1_000
    batch: int = 8
    learning_rate: float = 2e-3
    average: float = 0.0
    width: int = 16


PRESETS = {
    "paper": MPRNetConfig(
        iterations=300_000, batch=20, learning_rate=4e-4, warm_up=0, clip_norm=math.inf, width=31
    ),
    "small": MPRNetConfig(),
}


def relative_error(made: Tensor, true: Tensor) -> Tensor:
    """Return the mean of |made - true| / max(true, 0.01).

    Examples
    --------
    >>> float(relative_error(torch.tensor([0.3, 0.01]), torch.tensor([0.2, 0.0])))
    0.75
    """
    return ((made - true).abs() / true.clamp_min(FLOOR)).mean()


class MPRNet(Generator):
    """The network of one scene, and the RGB of the images that it was fitted to.

    Parameters
    ----------
    bands : int
        Number L.
    size : int
    width : int
    images : sequence of (int, int)
        Rows and columns of each image.
    """

    net: MPRNetwork

    def __init__(
        self, *, bands: int, size: int, width: int, images: Sequence[Sequence[int]]
    ) -> None:
        super().__init__()
        _check_size(size)
        self.size = size
        self.shape = {
            "bands": bands,
            "size": size,
            "width": width,
            "images": [list(sides) for sides in images],
        }
        self.net = channels_last(MPRNetwork(bands, width))
        for index, (rows, columns) in enumerate(images):
            self.register_buffer(f"rgb_{index}", torch.zeros(3, rows, columns))

    @property
    def rgb(self) -> list[Tensor]:
        """The images that tiles are drawn from, each of shape (3, H, W)."""
        return [image for name, image in self.named_buffers() if name.startswith("rgb_")]

    @torch.no_grad()
    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Give spectra to random tiles of the scene's RGB; see :class:`Generator`.

        The tiles may have any size that 8 divides and that fits the images. Reflectance below 0
        is set to 0.
        """
        check_count(count)
        no_other_ways(how, "MPRNet")
        _check_size(size or self.size)
        self.net.eval()
        device = self.net.start.weight.device
        patches = Patches([image.cpu() for image in self.rgb], size or self.size)
        colours = patches.draw(count, torch.Generator().manual_seed(seed))
        parts = (colours[first : first + CHUNK] for first in range(0, count, CHUNK))
        tiles = [self.net(part.to(device))[-1].cpu() for part in parts]
        return Samples(torch.cat(tiles).clamp_min(0.0))


@own_randomness()
def mprnet(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit MPRNet to the tiles of a scene and their pseudo-RGB.

    Parameters
    ----------
    patches : Patches
        With wavelengths; of a size that 8 divides.
    seed : int
        Seeds the weights and the tiles; the same seed gives the same bytes on one CPU. The
        caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        A narrower network for a CPU, or the one of the toolbox for a GPU.
    **settings
        Fields of :class:`MPRNetConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``stage_1``, ``stage_2`` and ``stage_3`` (mean relative absolute error) by
        ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, 8 does not divide the size of the tiles, or the
        loss stops being finite.
    WavelengthError
        If the patches do not know their wavelengths, or lack one of the colours.
    """
    config = settled(PRESETS, preset, settings, "MPRNet")
    chosen = patches.rgb_bands("MPRNet")

    def build() -> MPRNet:
        model = MPRNet(
            bands=patches.bands,
            size=patches.size,
            width=config.width,
            images=[image.shape[1:] for image in patches.images],
        )
        for kept, image in zip(model.rgb, patches.images, strict=True):
            kept.copy_(image[chosen])
        return model

    def loss(net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        stages = net(batch[:, chosen])
        return {
            f"stage_{k}": relative_error(image.float(), batch) for k, image in enumerate(stages, 1)
        }

    last = LAST_RATE / config.learning_rate
    return train_averaged(
        build,
        lambda model: patches,
        loss,
        config=config,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        given=[*patches.images, torch.tensor(chosen)],
        title="MPRNet",
        decay=lambda share: last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * share)),
    )


def _check_size(size: int) -> None:
    if size < MULTIPLE or size % MULTIPLE:
        raise ParameterError(
            f"MPRNet cannot give spectra to tiles of {size} x {size} pixels.",
            next_step=f"ask for a multiple of {MULTIPLE}, "
            f"such as {max(MULTIPLE, MULTIPLE * round(size / MULTIPLE))}",
        )
