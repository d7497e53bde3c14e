"""HSCNN-R and HSCNN-D: the two networks of HSCNN+, winner of the 2018 challenge on this task.

Both map the colours of a pixel and of its neighbours to L bands by 3x3 convolutions at full
resolution, without normalisation, and minimise the mean relative absolute error [1]_

    L = mean | X - Y | / max(Y, 0.01),

which lets dark bands count as much as bright ones. (The authors divide by Y; the floor of a
hundredth of full scale is ours, as counts can be 0.)

HSCNN-R is residual. One convolution C_0 makes 64 features f_0 of the colours, 16 blocks and one
convolution improve on them, and a last one gives the bands:

    f_k = relu(f_{k-1} + conv(relu(conv f_{k-1}))),      X = conv relu(f_0 + conv f_16).

HSCNN-D is dense: each block reads all features that were made before it, and adds 16. A stem of
two branches makes 64 features; a block has a 1x1 convolution to 64, two branches of a 3x3 (16) and
a 1x1 (8), and a 1x1 that fuses these 48 to 16, each with ReLU. Towers stand side by side, and one
1x1 convolution makes bands of what all of them found.

For 31 bands HSCNN-R has 1,238,303 parameters. HSCNN-D has 9,294,943 as its authors ran it, with
three towers of 58 blocks; the 3.61 million that a later comparison names are nearest to one tower
of 64 blocks (3,615,103) or, with the topology kept, three of 30 (3,522,463), which is the "paper"
preset here. INSS compares with "HSCNN+", and tells no more than that it is a network "with
residual blocks": it is most likely HSCNN-R, of which PyTorch versions go round.

Neither method needs wavelengths; neither has abundances.

References
----------
.. [1] Z. Shi, C. Chen, Z. Xiong, D. Liu, F. Wu, "HSCNN+: advanced CNN-based hyperspectral recovery
   from RGB images", IEEE/CVF CVPR Workshops, 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import RecoveryLength, fit_network
from hsirepro.training import own_randomness, settled

FLOOR = 0.01  # of what errors are divided by
POWER = 1.5  # of the share of the training that is left: the fall of the learning rate
STEM, GROWTH = 64, 16  # features that the stem and a block of HSCNN-D make


@dataclass(frozen=True)
class HSCNNRConfig(RecoveryLength):
    """Settings of HSCNN-R. The learning rate falls by (1 - share done)^1.5.

    Parameters
    ----------
    width : int
        Channels of the features.
    blocks : int
        Residual blocks.
    """

    learning_rate: float = 1e-3
    width: int = 48
    blocks: int = 6


@dataclass(frozen=True)
class HSCNNDConfig(RecoveryLength):
    """Settings of HSCNN-D. The learning rate falls by (1 - share done)^1.5 to a hundredth.

    Parameters
    ----------
    towers : int
        Side by side.
    blocks : int
        Dense blocks of each.
    """

    learning_rate: float = 3e-3
    towers: int = 1
    blocks: int = 6


R_PRESETS = {
    "paper": HSCNNRConfig(
        iterations=968_000,
        batch=64,
        learning_rate=2e-4,
        warm_up=0,
        clip_norm=math.inf,
        width=64,
        blocks=16,
    ),
    "small": HSCNNRConfig(),
}
D_PRESETS = {
    # 60 epochs of 148,556 crops.
    "paper": HSCNNDConfig(
        iterations=139_271,
        batch=64,
        learning_rate=1e-3,
        warm_up=0,
        clip_norm=math.inf,
        crop=50,
        towers=3,
        blocks=30,
    ),
    "small": HSCNNDConfig(),
}


def relative_error(made: Tensor, true: Tensor) -> Tensor:
    """Return the mean of |made - true| / max(true, 0.01).

    Examples
    --------
    >>> float(relative_error(torch.tensor([0.3, 0.01]), torch.tensor([0.2, 0.0])))
    0.75
    """
    return ((made - true).abs() / true.clamp_min(FLOOR)).mean()


class HSCNNR(Recoverer):
    """The residual network; what is further than ``reach`` from a pixel does not matter to it."""

    def __init__(self, *, bands: int, width: int, blocks: int) -> None:
        super().__init__()
        self.shape = {"bands": bands, "width": width, "blocks": blocks}
        self.bands, self.reach = bands, 2 * blocks + 3
        self.start = _conv3(3, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv3(width, width), nn.ReLU(), _conv3(width, width))
            for _ in range(blocks)
        )
        self.gather, self.end = _conv3(width, width), _conv3(width, bands)
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.kaiming_normal_(conv.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` of colours; see :class:`Recoverer`."""
        first = found = self.start(rgb)
        for block in self.blocks:
            found = (found + block(found)).relu()
        return {"image": self.end((first + self.gather(found)).relu())}


class DenseBlock(nn.Module):
    """From C features to C + 16: all that came in, and what is new."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, STEM, 1)
        self.wide = nn.ModuleList(_conv3(STEM, GROWTH) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv2d(GROWTH, GROWTH // 2, 1) for _ in range(2))
        self.fuse = nn.Conv2d(3 * GROWTH, GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, C + 16, H, W) of (B, C, H, W)."""
        reduced = self.reduce(x).relu()
        branches: list[Tensor] = []
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            branch = wide(reduced).relu()
            branches += [branch, narrow(branch).relu()]
        return torch.cat([x, self.fuse(torch.cat(branches, dim=1)).relu()], dim=1)


class Tower(nn.Module):
    """From colours to 64 + 16 blocks features."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.wide = nn.ModuleList(_conv3(3, GROWTH) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv2d(GROWTH, GROWTH, 1) for _ in range(2))
        self.blocks = nn.Sequential(*[DenseBlock(STEM + GROWTH * k) for k in range(blocks)])

    def forward(self, rgb: Tensor) -> Tensor:
        """Return shape (B, 64 + 16 blocks, H, W) of (B, 3, H, W)."""
        wide = [conv(rgb).relu() for conv in self.wide]
        narrow = [conv(x).relu() for conv, x in zip(self.narrow, wide, strict=True)]
        features: Tensor = self.blocks(torch.cat([*wide, *narrow], dim=1))
        return features


class HSCNND(Recoverer):
    """The dense network; what is further than ``reach`` from a pixel does not matter to it."""

    def __init__(self, *, bands: int, towers: int, blocks: int) -> None:
        super().__init__()
        self.shape = {"bands": bands, "towers": towers, "blocks": blocks}
        self.bands, self.reach = bands, blocks + 1
        self.towers = nn.ModuleList(Tower(blocks) for _ in range(towers))
        self.end = nn.Conv2d(towers * (STEM + GROWTH * blocks), bands, 1)
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.kaiming_normal_(conv.weight)
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.trunc_normal_(self.end.weight, std=1e-3, a=-2e-3, b=2e-3)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` of colours; see :class:`Recoverer`."""
        return {"image": self.end(torch.cat([tower(rgb) for tower in self.towers], dim=1))}


@own_randomness()
def hscnn_r(
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
    """Fit HSCNN-R to pairs.

    Parameters
    ----------
    pairs, validation : Pairs
        Without validation the last model is the best.
    seed : int
        Seeds the weights and the crops; the same seed gives the same bytes on one CPU. The
        caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        A narrower network for a CPU, or the original one for a GPU.
    **settings
        Fields of :class:`HSCNNRConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``relative_error`` and, with validation, ``validation_psnr`` by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, a crop does not fit every image, or the loss stops
        being finite.
    ShapeError
        If training and validation differ in bands.
    """
    config = settled(R_PRESETS, preset, settings, "HSCNN-R")
    return fit_network(
        lambda: HSCNNR(bands=pairs.bands, width=config.width, blocks=config.blocks),
        _loss,
        config=config,
        pairs=pairs,
        validation=validation,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="HSCNN-R",
        decay=_falling(0.0),
    )


@own_randomness()
def hscnn_d(
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
    """Fit HSCNN-D to pairs.

    Parameters, results and errors are those of :func:`hscnn_r`; the settings are fields of
    :class:`HSCNNDConfig`.
    """
    config = settled(D_PRESETS, preset, settings, "HSCNN-D")
    return fit_network(
        lambda: HSCNND(bands=pairs.bands, towers=config.towers, blocks=config.blocks),
        _loss,
        config=config,
        pairs=pairs,
        validation=validation,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="HSCNN-D",
        decay=_falling(0.01),
    )


def _loss(parts: dict[str, Tensor], rgb: Tensor, hsi: Tensor) -> dict[str, Tensor]:
    return {"relative_error": relative_error(parts["image"], hsi)}


def _falling(last: float) -> Callable[[float], float]:
    """Return the fall of the learning rate to a share ``last`` of what it was."""
    return lambda share: last + (1.0 - last) * (1.0 - share) ** POWER


def _conv3(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1)
