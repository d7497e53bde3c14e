"""R2HGAN: a U-Net that paints spectra, against a judge of patches and a judge of spectra.

The generator G [1]_ is the U-Net of pix2pix [2]_ without normalisation: 4x4 convolutions of stride
2 take the colours down to 1 x 1 pixels with d, 2d, 4d and then 8d channels, each before a leaky
ReLU of slope 0.2, and transposed ones take them up again, each after a ReLU and beside what the
way down had at that size; a tanh ends it. G and its two critics D (:mod:`~hsirepro.recovery
.critics`) minimise

    G:  BCE(D_spa(Y, X), 1) + BCE(D_spe(X), 1) + 100 mean |X - X_true|,
    D:  1/2 [BCE(D(X_true), 1) + BCE(D(X), 0)],   for each of the two,

with X = G(Y), D learning at every third step of G. For the first 100 of 700 epochs, here a seventh
of the training, G learns alone; in the release untrained critics speak to it meanwhile, in ours
they are silent. The learning rate falls to a tenth after 300 epochs, and again after 600.

Dropout of a half in the first three stages of the way up stands for the noise of a generative
model, and stays on when spectra are recovered: ``reconstruct`` draws it from its seed, and tiles
draw it anew, so that a tiled image differs from a whole one.

At d = 128, 8 levels and 224 bands, those of AVIRIS, G has 218,514,400 parameters and D_spa
28,499,969. Crops must be multiples of 2^levels, 256 pixels in the original; fewer levels serve
smaller ones.

A tanh gives values in (-1, 1). pix2pix brings its images there; the release of R2HGAN does not,
and compares the tanh with counts / 4095 as they are. So what is dark may come out below 0, as it
may here; written as 16-bit counts without a sign, as the release does, it turns to 65535. The
"abnormal values" near the maximum that INSS reports of R2HGAN, and its RMSE of 2051 counts where
others have 320, are what that would look like: one value in a thousand suffices. ``centred`` takes
[0, 1] to [-1, 1] instead, where nothing below 0 can come out.

The method needs no wavelengths and has no abundances.

References
----------
.. [1] L. Liu, S. Lei, Z. Shi, N. Zhang, X. Zhu, "Hyperspectral remote sensing imagery generation
   from RGB images based on joint discrimination", IEEE J-STARS 14, 2021.
.. [2] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, "Image-to-image translation with conditional
   adversarial networks", IEEE CVPR, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.recovery.critics import JointCritic, r2hgan_critic, start_normally
from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import RecoveryLength, fit_network
from hsirepro.training import own_randomness, settled

EPOCHS, ALONE, STEP = 700, 100, 300  # of the original: all, without critics, of one learning rate
DROPPED = 3  # stages of the way up with dropout
FULL_WIDTH = 128  # at which the first weights have their published spread


@dataclass(frozen=True)
class R2HGANConfig(RecoveryLength):
    """Settings of R2HGAN. The learning rate falls to a tenth after 3/7 and 6/7 of the training.

    Parameters
    ----------
    width : int
        Channels d of the first level.
    levels : int
        Halvings; 2^levels divides the crops.
    centred : bool
        Whether data are taken from [0, 1] to [-1, 1] for the tanh.
    l1 : float
        Weight of the mean absolute error.
    spatial, spectral : int
        Widths of the critics; see :mod:`hsirepro.recovery.critics`.
    grid : int
        Pixels between two spectra that are judged.
    critic_every : int
        Steps of the model for each of the critics.
    critic_rate : float
        Learning rate of the critics.
    """

    learning_rate: float = 3e-3
    width: int = 32
    levels: int = 5
    centred: bool = False
    l1: float = 100.0
    spatial: int = 8
    spectral: int = 32
    grid: int = 16
    critic_every: int = 3
    critic_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.levels < 1:
            raise ParameterError(
                f"levels={self.levels} makes no U-Net.", next_step="give 1 or more"
            )
        if self.crop % 2**self.levels:
            raise ParameterError(
                f"Crops of {self.crop} pixels cannot be halved {self.levels} times.",
                next_step=f"give a multiple of {2**self.levels}, or fewer levels",
            )


PRESETS = {
    # 700 epochs of the 330 tiles that INSS trains on.
    "paper": R2HGANConfig(
        iterations=231_000,
        batch=1,
        learning_rate=1e-4,
        warm_up=0,
        clip_norm=math.inf,
        crop=256,
        flips=False,
        width=128,
        levels=8,
        spatial=128,
        spectral=128,
        grid=64,
    ),
    "small": R2HGANConfig(),
}


class R2HGAN(Recoverer):
    """The generator.

    Parameters
    ----------
    bands : int
        Number L.
    width : int
        Channels d.
    levels : int
    centred : bool
        Whether the tanh is taken from [-1, 1] to [0, 1].
    """

    def __init__(self, *, bands: int, width: int, levels: int, centred: bool) -> None:
        super().__init__()
        self.shape = {"bands": bands, "width": width, "levels": levels, "centred": centred}
        self.bands, self.multiple, self.centred = bands, 2**levels, centred
        down = [3, *[width * min(2**level, 8) for level in range(levels)]]
        up = [*reversed(down[1:]), bands]
        # All but the first stage of the way up also take in what the way down had at their size.
        taken = [up[0], *[2 * channels for channels in up[1:-1]]]
        self.down = nn.ModuleList(nn.Conv2d(*pair, 4, 2, 1) for pair in pairwise(down))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(*pair, 4, 2, 1) for pair in zip(taken, up[1:], strict=True)
        )
        # A sum over fewer channels needs larger weights to be as large.
        start_normally(self, 0.02 * math.sqrt(FULL_WIDTH / width))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` of colours; see :class:`Recoverer`. Each call draws its dropout."""
        levels = [self.down[0](rgb)]
        for conv in self.down[1:]:
            levels.append(conv(F.leaky_relu(levels[-1], 0.2)))
        x = levels.pop()
        for stage, conv in enumerate(self.up):
            x = conv(x.relu())
            if stage < DROPPED and levels:
                x = F.dropout(x, 0.5, training=True)
            if levels:
                x = torch.cat([x, levels.pop()], dim=1)
        image = x.tanh()
        return {"image": (image + 1.0) / 2.0 if self.centred else image}


@own_randomness()
def r2hgan(
    pairs: Pairs,
    *,
    validation: Pairs | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit R2HGAN to pairs.

    Parameters
    ----------
    pairs, validation : Pairs
        Without validation the last model is the best. Values above 1 are out of reach.
    seed : int
        Seeds the weights, the crops, the dropout and the places of the spectra that are judged;
        the same seed gives the same bytes on one CPU. The caller's random generators are left as
        they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        Narrower networks for a CPU, or the original ones for a GPU.
    **settings
        Fields of :class:`R2HGANConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``error`` (100 times mean absolute), ``spatial_made`` and ``spectral_made`` (what
        the critics say of the model) and, with validation, ``validation_psnr`` by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, a crop does not fit every image or cannot be halved
        as often as there are levels, or the loss stops being finite.
    ShapeError
        If training and validation differ in bands, or a crop is too small for the critic.
    """
    config = settled(PRESETS, preset, settings, "R2HGAN")

    def build() -> R2HGAN:
        return R2HGAN(
            bands=pairs.bands, width=config.width, levels=config.levels, centred=config.centred
        )

    def build_critic(model: R2HGAN) -> JointCritic:
        critic = r2hgan_critic(
            pairs.bands,
            spatial=config.spatial,
            spectral=config.spectral,
            grid=config.grid,
            every=config.critic_every,
            learning_rate=config.critic_rate,
            quiet=config.iterations * ALONE // EPOCHS,
        )
        critic.check_size(config.crop, config.crop)
        return critic

    def loss(parts: dict[str, Tensor], rgb: Tensor, hsi: Tensor) -> dict[str, Tensor]:
        # Within [-1, 1] all errors are twice as large.
        scale = config.l1 * (2.0 if config.centred else 1.0)
        return {"error": scale * (parts["image"] - hsi).abs().mean()}

    return fit_network(
        build,
        loss,
        config=config,
        pairs=pairs,
        validation=validation,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="R2HGAN",
        build_critic=build_critic,
        decay=lambda share: 0.1 ** int(share * EPOCHS / STEP),
    )
