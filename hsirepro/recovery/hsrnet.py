"""HSRNet: bands start in the colour that sees them, and are improved in stages.

The network [1]_ unrolls the minimisation of |Y - S X|^2 + prior(X), for colours Y and a spectral
response S, into nine stages of learned weights. Red, green, blue and their differences,

    [R, R - G, G, G - B, B],

give first features f_0 in three groups, one per colour, by a 3x3 convolution and a 1x1 within the
group: as many features as bands that the colour's response covers. Each stage adds up a
convolution, the features, and the output H of a residual block that stands for the prior,

    f_k = conv f_{k-1} + a(f_{k-1}) * f_{k-1} + b(f_{k-1}) * H(f_{k-1}),
    X = conv [f_0, f_0 + f_9],

where a and b, one number per channel, come from the channels' means and maxima over the whole
image. So every pixel matters to every other, and a tiled image differs from a whole one.
Convolutions replicate the border and end in a leaky ReLU of slope 0.2, the last one too; only the
second 3x3 of H has zeros around it, as released.

For 31 bands of 400 to 700 nm the release has 6 features for blue, 10 for green and 15 for red:
limits of 455 and 555 nm. Here the same limits hold for any wavelengths. What the three colours do
not see goes to the nearest of them: all the infrared to red, the ultraviolet to blue. The method
needs the wavelengths, and no more of the response.

At 31 bands it has 769,662 parameters; their number grows with the square of that of the bands,
because features are bands. ``features`` parts the two for narrower networks, in which each colour
keeps its share. The loss is the mean absolute error. The method has no abundances.

References
----------
.. [1] J. He, J. Li, Q. Yuan, H. Shen, L. Zhang, "Spectral response function-guided deep
   optimization-driven network for spectral super-resolution", IEEE TNNLS 33(9), 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from hsirepro.recovery.fmnet import known_wavelengths
from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import RecoveryLength, fit_network
from hsirepro.training import own_randomness, settled

LIMITS = (455.0, 555.0)  # nm: blue below, green between, red above
SLOPE = 0.2  # of leaky ReLU


@dataclass(frozen=True)
class HSRNetConfig(RecoveryLength):
    """Settings of HSRNet.

    Parameters
    ----------
    features : int
        Channels of f; 0 for as many as bands.
    width : int
        Channels within H.
    stages : int
    rates : int
        Learning rates, each half of the one before, in as many even parts of the training.
    """

    learning_rate: float = 3e-3
    features: int = 48
    width: int = 48
    stages: int = 3
    rates: int = 4


PRESETS = {
    # 200 epochs of 26 images of 512 x 512 pixels, cut into crops; how many, no source says.
    "paper": HSRNetConfig(
        iterations=41_600,
        batch=8,
        learning_rate=1e-4,
        warm_up=0,
        clip_norm=0.1,
        flips=False,
        weight_decay=1e-4,
        features=0,
        width=128,
        stages=9,
        rates=20,
    ),
    "small": HSRNetConfig(),
}


def colour_groups(wavelength: ArrayLike) -> tuple[int, int, int]:
    """Return how many bands blue, green and red see: below 455 nm, up to 555 nm, and above.

    Examples
    --------
    >>> colour_groups(range(400, 701, 10))
    (6, 10, 15)
    >>> colour_groups([500, 1600])
    (0, 1, 1)
    """
    colour = np.digitize(np.asarray(wavelength, dtype=np.float64), LIMITS)
    blue, green, red = (int((colour == k).sum()) for k in range(3))
    return blue, green, red


def shared_out(groups: Sequence[int], features: int) -> tuple[int, ...]:
    """Return ``features`` parted like ``groups``, at least one for each that is not empty.

    Examples
    --------
    >>> shared_out((6, 10, 15), 31), shared_out((2, 0, 178), 30)
    ((6, 10, 15), (1, 0, 29))
    """
    ends = np.cumsum([0, *groups]) * features / sum(groups)
    parts = [int(part) for part in np.diff(np.round(ends))]
    parts = [max(part, 1) if size else 0 for part, size in zip(parts, groups, strict=True)]
    parts[int(np.argmax(parts))] += features - sum(parts)
    return tuple(parts)


class ChannelAttention(nn.Module):
    """One number in (0, 1) for each channel, of its mean and its maximum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, C, 1, 1) of (B, C, H, W)."""
        mean, most = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        numbers: Tensor = (self.net(mean) + self.net(most)).sigmoid()
        return numbers


class Stage(nn.Module):
    """From f_{k-1} to f_k."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.step = _layer(channels, channels, 3)
        self.keep, self.trust = ChannelAttention(channels), ChannelAttention(channels)
        self.inner = nn.Sequential(
            _layer(channels, width, 3), nn.Conv2d(width, channels, 3, padding=1)
        )
        self.outer = nn.Sequential(nn.LeakyReLU(SLOPE), _layer(channels, channels, 1))

    def forward(self, f: Tensor) -> Tensor:
        """Return f_k of the same shape (B, C, H, W)."""
        prior = self.outer(f + self.inner(f))
        improved: Tensor = self.step(f) + f * self.keep(f) + prior * self.trust(f)
        return improved


class HSRNet(Recoverer):
    """The network.

    Parameters
    ----------
    bands : int
        Number L.
    groups : sequence of int
        Features of blue, green and red; none for a colour that sees no band.
    width : int
    stages : int
    """

    def __init__(self, *, bands: int, groups: Sequence[int], width: int, stages: int) -> None:
        super().__init__()
        self.shape = {"bands": bands, "groups": list(groups), "width": width, "stages": stages}
        self.bands, features = bands, sum(groups)
        self.colours = nn.ModuleList(
            nn.Sequential(_layer(5, size, 3), _layer(size, size, 1)) for size in groups if size
        )
        self.stages = nn.Sequential(*[Stage(features, width) for _ in range(stages)])
        self.end = _layer(2 * features, bands, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` of colours; see :class:`Recoverer`."""
        red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
        colours = torch.cat([red, red - green, green, green - blue, blue], dim=1)
        first = torch.cat([group(colours) for group in self.colours], dim=1)
        return {"image": self.end(torch.cat([first, first + self.stages(first)], dim=1))}


@own_randomness()
def hsrnet(
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
    """Fit HSRNet to pairs.

    Parameters
    ----------
    pairs, validation : Pairs
        With wavelengths; without validation the last model is the best.
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
        Fields of :class:`HSRNetConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``error`` (mean absolute) and, with validation, ``validation_psnr`` by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, a crop does not fit every image, or the loss stops
        being finite.
    ShapeError
        If training and validation differ in bands.
    WavelengthError
        If the pairs do not know their wavelengths.
    """
    config = settled(PRESETS, preset, settings, "HSRNet")
    nm = known_wavelengths(pairs, "HSRNet")
    groups = shared_out(colour_groups(nm), config.features or pairs.bands)
    return fit_network(
        lambda: HSRNet(bands=pairs.bands, groups=groups, width=config.width, stages=config.stages),
        lambda parts, rgb, hsi: {"error": (parts["image"] - hsi).abs().mean()},
        config=config,
        pairs=pairs,
        validation=validation,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="HSRNet",
        given=[torch.from_numpy(nm)],
        decay=lambda share: 0.5 ** math.floor(config.rates * share),
    )


def _layer(channels: int, width: int, kernel: int) -> nn.Sequential:
    pad = {"padding": kernel // 2, "padding_mode": "replicate"} if kernel > 1 else {}
    conv = nn.Conv2d(channels, width, kernel, **pad)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE))
