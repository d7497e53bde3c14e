"""UnmixDiff (UD): diffusion in the space of abundances that a network has learned.

Two phases, each with its own checkpoint. A scene autoencoder learns p endmembers E, shape (L, p),
and abundances A of the tiles (``unmixing/scene_autoencoder.py``); then a diffusion learns tiles
of 2 A - 1, which lie within [-1, 1] (``diffusion.py``; the network is told the noise level, and
the absolute error of the noise is minimised). A drawn map x, kept within [-1, 1] on its way, is
mixed to spectra by the linear mixing model, Y = E (x + 1) / 2.

The released code [2]_ departs from what it means, and the published comparisons were made with
it, so there are two versions:

===========  ================================  =============================================
             ``repaired``                      ``release``
===========  ================================  =============================================
tiles        as they are                       each stretched to [0, 1] over all its bands,
                                               whatever its light
endmembers   smooth along the bands, and not   drawn towards their neighbour in the list, of
             negative (our addition)           any sign
drawing      endmembers as learned             endmembers stretched to [0, 1], all by one line
             abundances clamped and scaled     abundances as drawn
             to sum one
===========  ================================  =============================================

The stretched tiles lose the light of the scene, and the stretched endmembers move the level of
every spectrum: where abundances sum to one, Y becomes (Y - min E) / (max E - min E). MSF-Diff
prints a softmax for the drawn abundances; shares within [0, 1] would come out of it nearly even,
none more than e times another, so they are clamped and scaled.

The settings of ``paper`` are the released ones but for these. The U-Net is meant for tiles of
256 x 256; for 32 x 32 the first three of its five levels stay (widths 64, 128, 256; the two of
512 are dropped), and attention stays where maps are 16 x 16. Its weights start as its library
has it, not orthogonal; every tile of a batch has a step of its own, gradients are cut at norm 1,
and sigma_t^2 = beta_t. Millions of steps on 8 tiles of 256 x 256 are beyond us: the diffusion
takes as many steps and tiles as HUD's, and the autoencoder sees as many pixels as in 40 epochs of
Chikusei. ``small`` has an autoencoder of one group of one pair, and trains the diffusion as HUD's
``small`` does, velocity and moving average included, so that the methods differ in what they
learn and not in how long.

References
----------
.. [1] Y. Yu, E. Pan, Y. Ma, X. Mei, Q. Chen, J. Ma, "UnmixDiff: unmixing-based diffusion model
   for hyperspectral image synthesis", IEEE Trans. Geosci. Remote Sens. 62, 2024.
.. [2] https://github.com/yuyang95/UnmixingDM, commit e3625b6.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, suggest
from hsirepro.generation.diffusion import BRIEF, Layout, Schedule, Solver, denoising_loss, draw
from hsirepro.generation.model import Fitted, Generator, Samples, check_count, no_other_ways
from hsirepro.generation.patches import Patches
from hsirepro.generation.training import AveragedLength, train_averaged
from hsirepro.training import fingerprint_of, own_randomness, settled
from hsirepro.unmixing.autoencoder import mixed, renormalised
from hsirepro.unmixing.scene_autoencoder import (
    SceneAutoencoder,
    SceneUnmixing,
    band_roughness,
    column_roughness,
    train_scene_autoencoder,
)

Version = Literal["repaired", "release"]
VERSIONS = ("repaired", "release")
RELEASED = Schedule(2000, 1e-6, 1e-2, levels=True)


@dataclass(frozen=True)
class UnmixDiffConfig(AveragedLength):
    """Settings of UnmixDiff and of Unmixing before fusion; those of :class:`Length` diffuse.

    Parameters
    ----------
    endmembers : int
        Number p.
    version : {"repaired", "release"}
    unmixing : SceneUnmixing
        Network and training of the autoencoder.
    unmixing_iterations : int
        Its steps.
    layout : Layout
        Of the U-Net.
    schedule : Schedule
    """

    endmembers: int = 5
    version: Version = "repaired"
    unmixing: SceneUnmixing = field(
        default_factory=lambda: SceneUnmixing((16,), blocks=1, batch=4, learning_rate=2e-3)
    )
    unmixing_iterations: int = 2_000
    layout: Layout = field(default_factory=Layout)
    schedule: Schedule = RELEASED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.version not in VERSIONS:
            raise ParameterError(
                f"There is no version {self.version!r}.", hint=suggest(self.version, VERSIONS)
            )


PRESETS = {
    "paper": UnmixDiffConfig(
        iterations=50_000,
        batch=128,
        learning_rate=1e-4,
        warm_up=0,
        average=0.0,
        precision="bf16",
        unmixing=SceneUnmixing(),
        unmixing_iterations=32_000,
        layout=Layout((64, 128, 256), blocks=2, attention=(1,), groups=32, dropout=0.2),
    ),
    "small": UnmixDiffConfig(schedule=replace(RELEASED, predicts="velocity"), **BRIEF),
}


class UnmixDiff(Generator):
    """The scene autoencoder and the diffusion of its abundances.

    Parameters
    ----------
    bands, size, endmembers : int
        L, rows and columns of a tile, p.
    inputs : list of int, optional
        The bands that the encoder sees; all by default.
    version : {"repaired", "release"}
    widths, blocks
        As in :class:`~hsirepro.unmixing.scene_autoencoder.SceneUnmixing`.
    layout, schedule : dict
        Of the U-Net and its training.
    """

    def __init__(
        self,
        *,
        bands: int,
        size: int,
        endmembers: int,
        inputs: list[int] | None,
        version: Version,
        widths: list[int],
        blocks: int,
        layout: dict[str, Any],
        schedule: dict[str, Any],
    ) -> None:
        super().__init__()
        self.size, self.version = size, version
        self.shape = {
            "bands": bands,
            "size": size,
            "endmembers": endmembers,
            "inputs": inputs,
            "version": version,
            "widths": widths,
            "blocks": blocks,
            "layout": layout,
            "schedule": schedule,
        }
        self.layout = Layout.from_plain(layout)
        self.schedule = Schedule(**schedule)
        self.autoencoder = SceneAutoencoder(
            bands if inputs is None else len(inputs),
            endmembers,
            bands,
            widths=tuple(widths),
            blocks=blocks,
        )
        self.net = self.layout.network(endmembers)

    def sample(
        self,
        count: int,
        *,
        size: int | None = None,
        seed: int = 0,
        solver: Solver = "dpm-solver++",
        steps: int = 25,
        **how: Any,
    ) -> Samples:
        """Draw tiles of any size; see :class:`Generator` and :func:`diffusion.draw`.

        Version ``release`` gives no abundances: what it mixes with need not sum to one.
        """
        check_count(count)
        no_other_ways(how, type(self).__name__, "solver or steps")
        side = size or self.size
        endmembers = self.autoencoder.endmembers.detach().cpu()
        maps = draw(
            self.net,
            (count, endmembers.shape[1], side, side),
            multiple=self.layout.multiple,
            schedule=self.schedule,
            solver=solver,
            steps=steps,
            seed=seed,
            clip=True,
        )
        shares = (maps + 1.0) / 2.0
        if self.version == "release":
            lowest, highest = endmembers.aminmax()
            return Samples(mixed((endmembers - lowest) / (highest - lowest), shares))
        shares = renormalised(shares, dim=1)
        return Samples(mixed(endmembers, shares), shares)


def shown(tiles: Tensor, inputs: list[int] | None, version: Version) -> tuple[Tensor, Tensor]:
    """Return what the encoder sees of tiles, and what the decoder has to answer.

    Parameters
    ----------
    tiles : Tensor, shape (B, L, h, w)
    inputs, version
        As in :class:`UnmixDiff`.

    Returns
    -------
    seen : Tensor, shape (B, C, h, w)
    spectra : Tensor, shape (B, L, h, w)
    """
    seen = tiles if inputs is None else tiles[:, inputs]
    return (stretched(seen), stretched(tiles)) if version == "release" else (seen, tiles)


def stretched(tiles: Tensor) -> Tensor:
    """Return each tile with its least value at 0 and its largest at 1; constant ones are 0.

    Examples
    --------
    >>> stretched(torch.tensor([2.0, 3.0, 6.0]).reshape(1, 3, 1, 1)).flatten()
    tensor([0.0000, 0.2500, 1.0000])
    """
    lowest = tiles.amin(dim=(1, 2, 3), keepdim=True)
    highest = tiles.amax(dim=(1, 2, 3), keepdim=True)
    return (tiles - lowest) / (highest - lowest).clamp_min(torch.finfo(tiles.dtype).tiny)


def fit_abundances(
    patches: Patches,
    model: type[UnmixDiff],
    *,
    inputs: list[int] | None,
    config: UnmixDiffConfig,
    title: str,
    seed: int,
    device: str,
    progress: bool,
    checkpoint: Path | None,
) -> Fitted:
    """Train the autoencoder and then the diffusion; the phases of :func:`unmixdiff`.

    Parameters
    ----------
    patches : Patches
    model : type
        Class of the model.
    inputs : list of int, optional
        The bands that the encoder sees.
    config : UnmixDiffConfig
    title : str
        Name of the method.
    seed, device, progress, checkpoint
        As every method takes them.

    Returns
    -------
    Fitted
    """
    release = config.version == "release"
    run = {"method": title, "size": patches.size, "inputs": inputs, **config.plain()}
    unmixed = train_scene_autoencoder(
        lambda count: shown(patches.draw(count), inputs, config.version),
        config.unmixing,
        endmembers=config.endmembers,
        iterations=config.unmixing_iterations,
        roughness=column_roughness if release else band_roughness,
        nonnegative=not release,
        fingerprint=fingerprint_of(run, seed, *patches.images),
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint and checkpoint.with_name(checkpoint.name + ".autoencoder"),
    )
    autoencoder = unmixed.model

    def build() -> UnmixDiff:
        made = model(
            bands=patches.bands,
            size=patches.size,
            endmembers=config.endmembers,
            inputs=inputs,
            version=config.version,
            widths=list(config.unmixing.widths),
            blocks=config.unmixing.blocks,
            layout=config.layout.plain(),
            schedule=asdict(config.schedule),
        )
        made.autoencoder = autoencoder  # which moves to the device with the model
        return made

    def loss(net: nn.Module, tiles: Tensor) -> dict[str, Tensor]:
        seen, _ = shown(tiles, inputs, config.version)
        # In full precision: logits of bfloat16 would coarsen the abundances.
        with torch.no_grad(), torch.autocast(tiles.device.type, enabled=False):
            maps = 2.0 * autoencoder.encode(seen) - 1.0
        return denoising_loss(net, maps, config.schedule, absolute=True)

    fitted = train_averaged(
        build,
        lambda _: patches,
        loss,
        config=config,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        given=patches.images,
        title=title,
    )
    return Fitted(
        fitted.model,
        fitted.curves | {f"unmixing_{name}": curve for name, curve in unmixed.curves.items()},
        fitted.settings | {"inputs": inputs},
        unmixed.earlier_s + fitted.earlier_s,
    )


@own_randomness()
def unmixdiff(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit UnmixDiff to the tiles of a scene.

    Parameters
    ----------
    patches : Patches
    seed : int
        Seeds the weights, the tiles and the noise; the same seed gives the same bytes on one
        CPU. The caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training; the state of the autoencoder
        lies beside it, as ``NAME.autoencoder``.
    preset : {"small", "paper"}
        Networks and lengths for a CPU, or the released ones for a GPU.
    **settings
        Fields of :class:`UnmixDiffConfig`, in place of the preset's, ``version`` among them.

    Returns
    -------
    Fitted
        Curve ``noise`` (mean absolute error of the noise) by ``iteration``, and those of the
        autoencoder: ``unmixing_error``, ``unmixing_angle``, ``unmixing_roughness`` and their
        sum ``unmixing_loss`` by ``unmixing_iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, or the loss stops being finite.
    """
    return fit_abundances(
        patches,
        UnmixDiff,
        inputs=None,
        config=settled(PRESETS, preset, settings, "UnmixDiff"),
        title="UnmixDiff",
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
    )
