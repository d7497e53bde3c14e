"""HSI-MSI fusion: one file per method, one contract for all.

A method takes float32 tensors ``(hsi, msi, *, ratio, srf, psf, seed, device, **settings)`` and
returns an :class:`~hsirepro.fusion.outcome.Outcome`. :func:`fuse` is the door for labelled cubes:
it checks the pair, runs a method by name and labels the answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.fusion.bicubic import bicubic
from hsirepro.fusion.cnmf import cnmf
from hsirepro.fusion.glp_hs import glp_hs
from hsirepro.fusion.gsa import gsa
from hsirepro.fusion.gsomp import g_somp, g_somp_pursuit
from hsirepro.fusion.hyconet import hyconet
from hsirepro.fusion.hyconet_presets import PRESETS, HyCoNetConfig
from hsirepro.fusion.hysure import hysure
from hsirepro.fusion.lanaras import lanaras
from hsirepro.fusion.mapsmm import mapsmm
from hsirepro.fusion.memory import require_memory
from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.sfim_hs import sfim_hs
from hsirepro.fusion.sylvester import fuse_sylvester
from hsirepro.fusion.usdn import usdn
from hsirepro.optics import PointSpread, SpectralResponse, check_pair
from hsirepro.scenes.cube import check_finite, from_tensor, placed_as, to_tensor
from hsirepro.training import check_device

__all__ = [
    "ITERATIVE",
    "METHODS",
    "PRESETS",
    "WHOLE_IMAGE",
    "Fused",
    "HyCoNetConfig",
    "Outcome",
    "fuse",
]

METHODS: dict[str, Callable[..., Outcome]] = {
    "bicubic": bicubic,
    "cnmf": cnmf,
    "g-somp": g_somp,
    "g-somp-pursuit": g_somp_pursuit,
    "fuse": fuse_sylvester,
    "glp-hs": glp_hs,
    "gsa": gsa,
    "hysure": hysure,
    "lanaras": lanaras,
    "mapsmm": mapsmm,
    "sfim-hs": sfim_hs,
    "usdn": usdn,
    "hyconet": hyconet,
}


ITERATIVE = frozenset(
    name for name, method in METHODS.items() if "progress" in inspect.signature(method).parameters
)
"""Methods that take a while, and show how far they are with ``progress=True``."""

WHOLE_IMAGE = frozenset({"cnmf", "fuse", "hysure", "lanaras"})
"""Methods that hold maps of the whole image, and refuse a pair for which they do not fit.

All others work in tiles: beside the pair, the answer and at most a copy of the MSI or some maps
of its size, what they hold does not grow with the image.
"""


@dataclass(frozen=True)
class Fused:
    """A fused cube with what was learned on the way.

    Parameters
    ----------
    cube : xarray.DataArray, dims (y, x, wavelength)
        In the units of the hyperspectral input.
    curves, learned, settings, earlier_s
        As in :class:`~hsirepro.fusion.outcome.Outcome`.
    """

    cube: xr.DataArray
    curves: dict[str, np.ndarray]
    learned: dict[str, Tensor]
    settings: dict[str, object]
    earlier_s: float = 0.0


def fuse(
    name: str,
    hsi: xr.DataArray,
    msi: xr.DataArray,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    device: str = "cpu",
    scale: float | None = None,
    **settings: object,
) -> Fused:
    """Fuse a hyperspectral and a multispectral cube of the same ground.

    Parameters
    ----------
    name : str
        A key of :data:`METHODS`.
    hsi : DataArray, dims (y, x, wavelength)
        Low-resolution hyperspectral cube.
    msi : DataArray, dims (y, x, wavelength)
        ``ratio`` times as many rows and columns, same units.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf : SpectralResponse, optional
        From the bands of ``hsi`` to those of ``msi``; a method says whether it needs it.
    psf : PointSpread, optional
        From the grid of ``msi`` to that of ``hsi``; a method says whether it needs it.
    seed : int
        Seeds everything that is random.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    scale : float, optional
        Pixel value that becomes 1 inside the method; the largest pixel of the pair by default.
    **settings
        The method's own settings.

    Returns
    -------
    Fused

    Raises
    ------
    ParameterError
        If the method, a setting or the device is unknown, or the device is not here.
    ShapeError
        If the two cubes do not overlap, or ``srf`` is for other numbers of bands.
    PixelError
        If a cube holds NaN or infinite pixels.
    ResourceError
        If the answer, or what the method holds beside it, does not fit the free memory.
    """
    if name not in METHODS:
        raise ParameterError(f"There is no fusion method {name!r}.", hint=suggest(name, METHODS))
    _check_settings(name, settings)
    check_device(device)  # also for methods that train nothing: a record would name it
    check_pair(hsi, msi, ratio)
    if srf is not None:
        _check_bands(srf, hsi, msi)
    for cube in (hsi, msi):
        check_finite(cube)
    require_memory(
        name,
        2 * 4 * msi.sizes["y"] * msi.sizes["x"] * hsi.sizes["wavelength"],
        "the fused image, band by band as methods make it and pixel by pixel as a cube.",
        next_step="crop the pair, or fuse parts of it",
    )
    if scale is None:
        scale = max(float(hsi.max()), float(msi.max()), float(np.finfo(np.float32).tiny))
    outcome = METHODS[name](
        to_tensor(hsi) / scale,
        to_tensor(msi) / scale,
        ratio=ratio,
        srf=srf,
        psf=psf,
        seed=seed,
        device=device,
        **settings,
    )
    cube = from_tensor(outcome.image.mul_(scale), hsi, method=name)  # in place: it may be large
    cube = placed_as(cube, msi)
    if "gsd_m" in hsi.attrs:
        cube.attrs["gsd_m"] = msi.attrs.get("gsd_m", hsi.attrs["gsd_m"] / ratio)
    settings_used = {**outcome.settings, "scale": scale}
    return Fused(cube, outcome.curves, outcome.learned, settings_used, outcome.earlier_s)


def _check_settings(name: str, settings: dict[str, object]) -> None:
    """Refuse what a method would swallow as the part of the contract that it does not need."""
    taken = dict(inspect.signature(METHODS[name]).parameters)
    if taken.pop("unused", None) is None:
        return  # the method checks its settings itself
    for setting in settings:
        if setting not in taken:
            own = [option for option in taken if option not in ("hsi", "msi", "ratio")]
            raise ParameterError(
                f"{name} has no setting {setting!r}.",
                hint=suggest(setting, own) if own else "it has none",
            )


def _check_bands(srf: SpectralResponse, hsi: xr.DataArray, msi: xr.DataArray) -> None:
    needed = tuple(srf.matrix.shape)
    given = (msi.sizes["wavelength"], hsi.sizes["wavelength"])
    if needed != given:
        raise ShapeError(
            f"The spectral response leads from {needed[1]} to {needed[0]} bands, the HSI has "
            f"{given[1]} and the MSI {given[0]}.",
            next_step="build it from the wavelengths of this HSI, with the bands of this MSI",
        )
