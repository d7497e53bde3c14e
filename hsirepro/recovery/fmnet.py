"""FM-Net: a mixture of functions whose weights every pixel chooses for itself.

A mixture unit [1]_ has n branches f_i, each two convolutions with kernels of 3, 7, 11 ... pixels,
and a branch of 3x3 convolutions that gives a map m_i for each of them,

    U(x) = sum_i w_i * f_i(x),      w_i = s(m_i) / (sum_j s(m_j) + 1e-9),

with the sigmoid s and products pixel by pixel: a pixel's own neighbourhood says how far it needs
to look. The network makes 64 features of its input x, refines them by blocks of a 3x3 convolution
and a unit each, and gathers what all blocks found in a unit, from which the last one makes bands:

    X = x + U(U([g_1, ..., g_b])),      g_k = U(relu(conv g_{k-1})),      g_0 = conv x.

The input is the colours brought to L bands by linear interpolation along wavelength, held constant
below the blue and above the red. So the method needs the wavelengths of the bands, and where the
three colours lie. (The release spreads red, green and blue evenly over the bands, in this order,
from 400 nm on; as the first convolution is free to undo that, it is done here as the paper has
it.) The unit that makes the bands holds most of what a narrow network costs.

With four blocks of three branches and 31 bands it has 11,792,925 parameters, the 11.79 million
that are quoted for it; the release runs with two blocks (6.95 million). The loss is the mean
absolute error. The method has no abundances.

References
----------
.. [1] L. Zhang, Z. Lang, P. Wang, W. Wei, S. Liao, L. Shao, Y. Zhang, "Pixel-aware deep
   function-mixture network for spectral super-resolution", AAAI, 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from hsirepro.errors import ParameterError, WavelengthError
from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import RecoveryLength, fit_network
from hsirepro.training import own_randomness, settled

RED_GREEN_BLUE = (650.0, 550.0, 470.0)  # nm
SMALLEST = 1e-9  # keeps weights finite where all sigmoids are 0
STAGES = 5  # of the learning rate, which halves from one to the next


@dataclass(frozen=True)
class FMNetConfig(RecoveryLength):
    """Settings of FM-Net. The learning rate halves after each fifth of the training.

    Parameters
    ----------
    width : int
        Channels of the features.
    blocks : int
    bases : int
        Branches of each unit, with kernels of 3, 7, 11 ... pixels.
    red_green_blue : tuple of float
        Where the colours lie, nm.
    """

    learning_rate: float = 1.5e-3
    width: int = 16
    blocks: int = 2
    bases: int = 2
    red_green_blue: tuple[float, float, float] = RED_GREEN_BLUE

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.red_green_blue) != 3 or len(set(self.red_green_blue)) < 3:
            raise ParameterError(
                f"red_green_blue={self.red_green_blue} are not the places of three colours.",
                next_step=f"give three wavelengths in nm, such as {RED_GREEN_BLUE}",
            )


PRESETS = {
    # 100 epochs of the 84,000 crops that 200 images of 1300 x 1392 pixels are cut into.
    "paper": FMNetConfig(
        iterations=43_750,
        batch=192,
        learning_rate=1e-4,
        warm_up=0,
        clip_norm=math.inf,
        flips=False,
        weight_decay=1e-6,
        width=64,
        blocks=4,
        bases=3,
    ),
    "small": FMNetConfig(),
}


class MixtureUnit(nn.Module):
    """U(x): branches of growing kernels, mixed by weights of each pixel.

    Parameters
    ----------
    channels : int
        Of the input.
    width : int
        Between the layers.
    out : int
        Of the result.
    bases : int
        Branches.
    """

    def __init__(self, channels: int, width: int, out: int, bases: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(_conv(channels, width, k), nn.ReLU(), _conv(width, out, k))
            for k in range(3, 3 + 4 * bases, 4)
        )
        inner = [
            layer for _ in range(3) for layer in (_conv(width, width, 3, bias=False), nn.ReLU())
        ]
        first, last = _conv(channels, width, 3, bias=False), _conv(width, bases, 3, bias=False)
        self.maps = nn.Sequential(first, nn.ReLU(), *inner, last)

    def weights(self, x: Tensor) -> Tensor:
        """Return w, shape (B, n, H, W), not negative, summing to one over n."""
        likely = self.maps(x).sigmoid()
        weights: Tensor = likely / (likely.sum(dim=1, keepdim=True) + SMALLEST)
        return weights

    def forward(self, x: Tensor) -> Tensor:
        """Return U(x), shape (B, out, H, W), of shape (B, channels, H, W)."""
        weights = self.weights(x)
        # Added up one by one: together the branches would take n times the memory.
        mixed = torch.zeros_like(x[:, :1])
        for k, branch in enumerate(self.branches):
            mixed = mixed + weights[:, k : k + 1] * branch(x)
        return mixed


class FMNet(Recoverer):
    """The network; what is further than ``reach`` from a pixel does not matter to it."""

    interpolation: Tensor

    def __init__(self, *, bands: int, width: int, blocks: int, bases: int) -> None:
        super().__init__()
        self.shape = {"bands": bands, "width": width, "blocks": blocks, "bases": bases}
        self.bands = bands
        # Of a unit: two convolutions of the widest branch, or the five that make the maps.
        unit = max(4 * bases - 2, 5)
        self.reach = 1 + blocks * (1 + unit) + 2 * unit
        self.register_buffer("interpolation", torch.zeros(bands, 3))
        self.start = _conv(bands, width, 3, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _conv(width, width, 3, bias=False),
                nn.ReLU(),
                MixtureUnit(width, width, width, bases),
            )
            for _ in range(blocks)
        )
        self.gather = MixtureUnit(blocks * width, width, width, bases)
        self.end = MixtureUnit(width, width, bands, bases)
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.kaiming_normal_(conv.weight, mode="fan_out")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` of colours; see :class:`Recoverer`."""
        x = torch.einsum("lc,bchw->blhw", self.interpolation, rgb)
        found = [self.start(x)]
        for block in self.blocks:
            found.append(block(found[-1]))
        return {"image": x + self.end(self.gather(torch.cat(found[1:], dim=1)))}


def interpolation_matrix(
    wavelength: ArrayLike, red_green_blue: tuple[float, float, float] = RED_GREEN_BLUE
) -> Tensor:
    """Return what brings three colours to bands, linearly along wavelength, shape (L, 3).

    Parameters
    ----------
    wavelength : array_like, shape (L,)
        Band centres in nm, in any order.
    red_green_blue : tuple of float
        Where the colours lie, nm.

    Examples
    --------
    >>> interpolation_matrix([400, 510, 600, 2000], (650, 550, 470))
    tensor([[0.0000, 0.0000, 1.0000],
            [0.0000, 0.5000, 0.5000],
            [0.5000, 0.5000, 0.0000],
            [1.0000, 0.0000, 0.0000]])
    """
    order = np.argsort(red_green_blue)
    places = np.asarray(red_green_blue, dtype=np.float64)[order]
    columns = [np.interp(np.asarray(wavelength), places, one[order]) for one in np.eye(3)]
    return torch.from_numpy(np.stack(columns, axis=1)).float()


def known_wavelengths(pairs: Pairs, method: str) -> np.ndarray:
    """Return the band centres of pairs in nm, or raise WavelengthError if they are not known."""
    if pairs.wavelength is None:
        raise WavelengthError(
            f"{method} needs the wavelengths of the {pairs.bands} bands, and the pairs have none.",
            next_step="Pairs(rgb, hsi, wavelength=...), one value in nm per band; "
            "'hscnn-r' needs none",
        )
    return pairs.wavelength


@own_randomness()
def fmnet(
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
    """Fit FM-Net to pairs.

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
        Fields of :class:`FMNetConfig`, in place of the preset's.

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
    config = settled(PRESETS, preset, settings, "FM-Net")
    nm = known_wavelengths(pairs, "FM-Net")

    def build() -> FMNet:
        model = FMNet(
            bands=pairs.bands, width=config.width, blocks=config.blocks, bases=config.bases
        )
        model.interpolation.copy_(interpolation_matrix(nm, config.red_green_blue))
        return model

    return fit_network(
        build,
        lambda parts, rgb, hsi: {"error": (parts["image"] - hsi).abs().mean()},
        config=config,
        pairs=pairs,
        validation=validation,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="FM-Net",
        given=[torch.from_numpy(nm)],
        decay=lambda share: 0.5 ** int(STAGES * share),
    )


def _conv(channels: int, width: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=bias)
