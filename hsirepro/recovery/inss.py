"""INSS: spectra from colours through an implicit neural model of how a library's spectra mix.

A U-Net F estimates the abundances a of the N_g spectra of a library R in each pixel of a colour
image x (eq. 8); a small network T makes of its features the weights of a mixing model for each
tile of D x D pixels (eq. 6, 9); and that model N makes the spectrum s of a pixel (eq. 10):

    a = F(x),     phi = T(features of F),     s = N(a, p, t | phi, R),

where t, one number per band, is what the Sun, the atmosphere and the sensor do. :mod:`mixing` has
N, :mod:`abundance_net` has F and :mod:`inss_net` puts them together. The loss (eq. 11 to 18) is

    L = sum_b w_b |s - s^|_b + 10 (1 - cos) + 0.1 |hsv(s) - hsv(s^)| + |s^ - l^| + 0.01 L_adv,

means over pixels; w is the variance of each band over their sum, l^ the linear part alone, and
L_adv what a spatial and a spectral critic say, which learn at every third step.

Text and released code differ in twelve places. The preset ``paper`` is the text; ``release`` the
code, on square crops: orders multiplied as matrices, networks M that are told no abundances, their
weights not negative, no loss on l^, the angle of the first 50 bands counted twice, and
normalisation by the image itself. ``small`` is the text with a narrow F, for a CPU, of five stages:
six would leave one coarsest feature of a crop of 64 pixels, and too few in a batch to normalise by.

What neither says is our choice: t starts, band by band, at the mean of the training images over
the 10th percentile of the library, which correlates by 0.98 with the vector that the authors
start from and do not explain. ``start="flat"`` and ``"random"`` tell what of the result was put in.

References
----------
.. [1] L. Liu, Z. Zou, Z. Shi, "Hyperspectral remote sensing image synthesis based on implicit
   neural spectral mixing models", IEEE TGRS 61, 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsirepro.errors import ParameterError, WavelengthError, suggest
from hsirepro.recovery.abundance_net import GROWTH, Norm
from hsirepro.recovery.critics import JointCritic, inss_critic, pdass_critic
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.library import library_of
from hsirepro.recovery.losses import hsv_distance, one_minus_cosine
from hsirepro.recovery.mixing import Composition, Origin
from hsirepro.recovery.model import Fitted
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import RecoveryLength, fit_network
from hsirepro.training import own_randomness, settled

RED_GREEN_BLUE = (684.9, 540.5, 443.3)  # nm: AVIRIS bands 35, 18 and 8, counted from 0
TOLERANCE = 40.0  # nm
PERCENTILE = 0.10  # of the library, band by band
TWICE = 50  # bands whose angle the released code counts once more

Start = Literal["library", "flat", "random"]
BandWeights = Literal["variance", "deviation", "none"]


@dataclass(frozen=True)
class INSSConfig(RecoveryLength):
    """Settings of INSS.

    Parameters
    ----------
    width : int
        Channels d of F's first stage.
    order, hidden, tile, told_abundances, composition, origin
        Of :class:`~hsirepro.recovery.mixing.Mixing`.
    norm, stages
        Of :class:`~hsirepro.recovery.abundance_net.AbundanceNet`.
    signed : bool
        Whether the predicted weights may be negative.
    spectral_norm : bool
        Of the first layer of T.
    detached : bool
        Whether F learns nothing through T.
    start : {"library", "flat", "random"}
        Where t starts.
    band_weights : {"variance", "deviation", "none"}
        What the error of each band is weighted by.
    cosine, cosine_again, hsv, reflections, adversarial : float
        Weights of the losses beside that of a pixel's error, which is 1; ``cosine_again`` is that
        of the first 50 bands alone.
    critic : {"inss", "pdass"}
        Whose critics they are.
    critic_width : int
        Channels of the spatial critic's first layer; the spectral one's has twice as many.
    critic_rate : float
        Learning rate of both critics.
    epochs : int
        Of the paper's schedule, in which the learning rate stays for 20 and then follows a cosine
        of 80 down and, as its code goes on for longer, up again; 0 where it falls evenly or not.
    """

    width: int = 16
    order: int = 3
    hidden: tuple[int, ...] = (32,)
    tile: int = 16
    told_abundances: bool = True
    composition: Composition = "elementwise"
    origin: Origin = "centre"
    norm: Norm = "running"
    stages: int = 5
    signed: bool = True
    spectral_norm: bool = False
    detached: bool = False
    start: Start = "library"
    band_weights: BandWeights = "variance"
    cosine: float = 10.0
    cosine_again: float = 0.0
    hsv: float = 0.1
    reflections: float = 1.0
    adversarial: float = 0.01
    critic: Literal["inss", "pdass"] = "inss"
    critic_width: int = 16
    critic_rate: float = 1e-4
    epochs: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.stages <= len(GROWTH):
            raise ParameterError(f"stages={self.stages}; F has 1 to {len(GROWTH)}.")
        multiple = 2**self.stages
        if self.crop % multiple:
            raise ParameterError(
                f"Crops of {self.crop} pixels cannot be halved as often as F does.",
                next_step=f"take a multiple of {multiple}",
            )
        if self.batch == 1 and self.crop < 2 * multiple:
            raise ParameterError(
                f"One crop of {self.crop} x {self.crop} pixels has a single coarsest feature, "
                "which has no variance to normalise by.",
                next_step=f"take batch=2 or more, or crop={2 * multiple} or more",
            )
        for name, known in (("start", STARTS), ("critic", CRITICS), ("band_weights", WEIGHTS)):
            if getattr(self, name) not in known:
                value = str(getattr(self, name))
                raise ParameterError(f"INSS has no {name} {value!r}.", hint=suggest(value, known))


SHAPING = (
    *("width", "order", "hidden", "tile", "told_abundances", "composition", "origin"),
    *("norm", "stages", "signed", "spectral_norm", "detached"),
)
"""Those settings that say what a model is; the others say how it learns."""
CRITICS = {"inss": inss_critic, "pdass": pdass_critic}
STARTS = ("library", "flat", "random")
WEIGHTS = ("variance", "deviation", "none")
_PAPER = INSSConfig(
    iterations=66_000,
    batch=1,
    learning_rate=1e-4,
    warm_up=0,
    clip_norm=float("inf"),
    crop=256,
    flips=False,
    validate_every=330,
    width=128,
    stages=6,
    critic_width=64,
    critic_rate=1e-5,
    falls=False,
    epochs=200,
)
PRESETS = {
    "paper": _PAPER,
    "release": replace(
        _PAPER,
        learning_rate=1e-5,
        hidden=(64,),
        told_abundances=False,
        composition="matrix",
        origin="corner",
        norm="batch",
        signed=False,
        spectral_norm=True,
        band_weights="deviation",
        cosine_again=10.0,
        reflections=0.0,
    ),
    "small": INSSConfig(learning_rate=3e-3),
}


@own_randomness()
def inss(
    pairs: Pairs,
    *,
    library: xr.DataArray | None = None,
    validation: Pairs | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit INSS to pairs of images.

    Parameters
    ----------
    pairs, validation : Pairs
        In units in which values are about 0 to 1: the paper has counts / 4095. With wavelengths,
        unless ``hsv=0``.
    library : DataArray, dims (spectrum, wavelength)
        Reflectance; see :func:`~hsirepro.recovery.library.library_of`.
    seed : int
        Seeds weights and crops; the same seed gives the same bytes on one CPU. The caller's
        random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper", "release"}
    **settings
        Fields of :class:`INSSConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``pixel``, ``cosine``, ``hsv``, ``reflections`` and the critics' by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, there is no library, a crop is larger than an
        image, or the loss stops being finite.
    WavelengthError
        If the library does not cover the images, or they have no red, green or blue.
    """
    config = settled(PRESETS, preset, settings, "INSS")
    return fit_mixing(
        pairs, config, library, validation, seed, device, progress, checkpoint, title="INSS"
    )


def fit_mixing(
    pairs: Pairs,
    config: INSSConfig,
    library: xr.DataArray | None,
    validation: Pairs | None,
    seed: int,
    device: str,
    progress: bool,
    checkpoint: Path | None,
    title: str,
) -> Fitted:
    """Fit a mixing model of any order; PDASS is that of the first. See :func:`inss`."""
    spectra = library_of(pairs, library, title)
    mean, variance = pairs.band_statistics()
    colours = colour_bands(pairs.wavelength, title) if config.hsv else None
    weights = band_weights(variance, config.band_weights)

    def build() -> INSS:
        model = INSS(
            bands=pairs.bands,
            materials=spectra.shape[1],
            **{name: getattr(config, name) for name in SHAPING},
        )
        model.library.copy_(spectra)
        model.colour_mean.copy_(pairs.colour_statistics()[0])
        model.colour_scale.copy_(pairs.colour_statistics()[1].clamp_min(1e-6))
        model.atmosphere.data.copy_(first_atmosphere(mean, spectra, config.start))
        return model

    def build_critic(model: INSS) -> JointCritic:
        return CRITICS[config.critic](
            model.bands,
            spatial=config.critic_width,
            spectral=2 * config.critic_width,
            weight=config.adversarial,
            learning_rate=config.critic_rate,
        )

    def loss(parts: dict[str, Tensor], rgb: Tensor, true: Tensor) -> dict[str, Tensor]:
        made = parts["image"]
        off = (made - true).abs().mean(dim=(0, 2, 3))
        terms = {"pixel": (weights.to(off) * off).sum()}
        if config.cosine:
            terms["cosine"] = config.cosine * one_minus_cosine(made, true)
        if config.cosine_again:
            terms["cosine_again"] = config.cosine_again * one_minus_cosine(
                made[:, :TWICE], true[:, :TWICE]
            )
        if colours is not None:
            terms["hsv"] = config.hsv * hsv_distance(made[:, colours], true[:, colours])
        if config.reflections and config.order > 1:
            terms["reflections"] = config.reflections * (made - parts["linear"]).abs().mean()
        return terms

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
        title=title,
        given=[spectra],
        build_critic=build_critic if config.adversarial else None,
        decay=(lambda share: paper_schedule(config.epochs * share)) if config.epochs else None,
    )


def paper_schedule(epoch: float) -> float:
    """Return the share of the learning rate that is left.

    Examples
    --------
    >>> [round(paper_schedule(epoch), 3) for epoch in (0, 20, 60, 100, 180)]
    [1.0, 1.0, 0.5, 0.0, 1.0]
    """
    return 0.5 * (1.0 + math.cos(math.pi * max(0.0, epoch - 20.0) / 80.0))


def first_atmosphere(mean: Tensor, library: Tensor, start: Start) -> Tensor:
    """Return where t starts, shape (K,).

    Parameters
    ----------
    mean : Tensor, shape (K,)
        Of each band of the training images.
    library : Tensor, shape (K, N_g)
    start : {"library", "flat", "random"}
        The mean over the library's 10th percentile; the mean of that over all bands; or drawn
        evenly from 0 to twice that.
    """
    ratio = mean / torch.quantile(library, PERCENTILE, dim=1).clamp_min(1e-3)
    if start == "library":
        return ratio
    level = ratio.mean()
    return level.expand(len(mean)) if start == "flat" else 2.0 * level * torch.rand(len(mean))


def band_weights(variance: Tensor, kind: BandWeights) -> Tensor:
    """Return what the error of each band counts, shape (K,), summing to one.

    Parameters
    ----------
    variance : Tensor, shape (K,)
        Of each band of the training images.
    kind : {"variance", "deviation", "none"}
        As the text has it, as the code has it, or all alike.
    """
    weights = {"variance": variance, "deviation": variance.sqrt(), "none": variance * 0.0 + 1.0}
    return weights[kind] / weights[kind].sum()


def colour_bands(wavelength: np.ndarray | None, method: str) -> list[int]:
    """Return the numbers of the bands that stand for red, green and blue.

    Raises
    ------
    WavelengthError
        If wavelengths are not known, or none lies within 40 nm of a colour.
    """
    if wavelength is None:
        raise WavelengthError(
            f"{method} compares red, green and blue, and the wavelengths are not known.",
            next_step="Pairs(rgb, hsi, wavelength=...), in nm, or leave that loss out: hsv=0",
        )
    chosen = [int(np.abs(wavelength - nm).argmin()) for nm in RED_GREEN_BLUE]
    for nm, band in zip(RED_GREEN_BLUE, chosen, strict=True):
        if abs(wavelength[band] - nm) > TOLERANCE:
            raise WavelengthError(
                f"No band lies within {TOLERANCE:.0f} nm of {nm:.0f} nm.",
                next_step="leave that loss out: hsv=0",
            )
    return chosen
