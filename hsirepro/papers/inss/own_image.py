"""A colour image of one's own: opened, brought to the training images, and compared with them.

A network knows the colours that it was trained on, in their unit. A picture from elsewhere has
another unit: a white of its own, a curve of its camera. What is done about it is stated, never
guessed silently:

    match     each colour gets mean and spread of that colour in the training images,
    factor    all colours are multiplied by one number, so that their mean is theirs,
    none      values stay as they are: 1 is the full scale of the file.

None of these makes a picture alike. How far it remains from the training images is the share of
its pixels further from their mean colour, by their covariance, than 99 % of their own pixels lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.papers.inss.scenes import Dataset, pair_of
from hsirepro.recovery import Pairs
from hsirepro.scenes.rgb import DIMS, open_rgb
from hsirepro.scenes.simulate import simulate

SCALINGS = ("match", "factor", "none")
PLANTED, SEED, SIZE = "planted", 11, (192, 256)
INSIDE = 0.99  # of the training pixels
UNLIKE = 0.03  # share of pixels outside from which an image is called unlike; 0.01 is expected


@dataclass(frozen=True)
class Likeness:
    """How an image compares with the training images.

    Parameters
    ----------
    mean, spread : tuple of float
        Of red, green and blue.
    training_mean, training_spread : tuple of float
        The same of the training images.
    outside : float
        Share of pixels that are further from their mean colour than 99 % of theirs.
    """

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    training_mean: tuple[float, ...]
    training_spread: tuple[float, ...]
    outside: float

    @property
    def alike(self) -> bool:
        """Whether so few pixels lie outside that spectra are no extrapolation."""
        return self.outside <= UNLIKE


def open_image(
    image: str, bands: Sequence[int] | None = None, full_scale: float | None = None
) -> xr.DataArray:
    """Open a colour image, or plant one; on the map where the file lies on one.

    Parameters
    ----------
    image : str
        A path, or ``"planted"``.
    bands, full_scale
        As :func:`~hsirepro.scenes.rgb.open_rgb` takes them.

    Returns
    -------
    DataArray, dims (y, x, colour), float32

    Raises
    ------
    HsireproError
        As :func:`~hsirepro.scenes.rgb.open_rgb`.
    """
    if image == PLANTED:
        nm = np.linspace(420.0, 1000.0, 30)
        cube = simulate(size=SIZE, wavelengths=nm, seed=SEED, atmosphere=True).cube
        colours = pair_of(cube, nm, 1.0)[0].permute(1, 2, 0).numpy()
        told = {"source": PLANTED, "notes": ("The image is simulated.",)}
        return xr.DataArray(colours, dims=DIMS, attrs=told)
    return _placed(open_rgb(image, bands=bands, full_scale=full_scale))


def band_numbers(text: str) -> tuple[int, ...] | None:
    """Return which bands are red, green and blue, from 1; None for "".

    Examples
    --------
    >>> band_numbers("3,2,1")
    (3, 2, 1)
    """
    if not text.strip():
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as problem:
        raise ParameterError(
            f"bands={text!r} are no numbers of bands.", next_step='write bands="3,2,1"'
        ) from problem


def scaled(image: xr.DataArray, pairs: Pairs, scaling: str) -> tuple[Tensor, str]:
    """Bring an image to the unit of the training images.

    Parameters
    ----------
    image : DataArray, dims (y, x, colour)
    pairs : Pairs
        What is trained on.
    scaling : {"match", "factor", "none"}

    Returns
    -------
    rgb : Tensor, shape (3, H, W)
        Never negative.
    said : str
        What was done, with its numbers.
    """
    rgb = torch.from_numpy(np.ascontiguousarray(image.values.transpose(2, 0, 1))).float()
    mean, spread = pairs.colour_statistics()
    if scaling == "none":
        return rgb, "Colours stay as they are in the file, 1 being its full scale."
    if scaling == "factor":
        factor = float(mean.mean() / rgb.mean().clamp_min(1e-6))
        return factor * rgb, f"All colours were multiplied by {factor:.4g}."
    own_mean, own_spread = rgb.mean(dim=(1, 2)), rgb.std(dim=(1, 2)).clamp_min(1e-6)
    gain = spread / own_spread
    offset = mean - gain * own_mean
    made = rgb * gain[:, None, None] + offset[:, None, None]
    below = float((made < 0).float().mean())
    steps = ", ".join(
        f"{name} x {g:.4g} {o:+.4g}"
        for name, g, o in zip(("red", "green", "blue"), gain.tolist(), offset.tolist(), strict=True)
    )
    return made.clamp_min(0.0), (
        f"Each colour got mean and spread of the training images: {steps}; {below:.1%} of the "
        "values would be negative, and became 0."
    )


def likeness(rgb: Tensor, pairs: Pairs) -> Likeness:
    """Compare an image (3, H, W) with the training images, in their unit."""
    training = torch.cat([image.flatten(1) for image in pairs.rgb], dim=1).double()
    own = rgb.flatten(1).double()
    centre = training.mean(dim=1, keepdim=True)
    covariance = torch.cov(training) + 1e-9 * torch.eye(3, dtype=torch.float64)
    inverse = torch.linalg.inv(covariance)

    def distance(pixels: Tensor) -> np.ndarray:
        off = pixels - centre
        return np.asarray((off * (inverse @ off)).sum(dim=0).numpy())

    limit = np.quantile(distance(training), INSIDE)
    return Likeness(
        tuple(own.mean(dim=1).tolist()),
        tuple(own.std(dim=1).tolist()),
        tuple(centre[:, 0].tolist()),
        tuple(training.std(dim=1).tolist()),
        float((distance(own) > limit).mean()),
    )


def trained_on(data: Dataset) -> str:
    """Say what the training images are, their unit and how bright their colours are."""
    pairs = data.sides["train"]
    mean, spread = pairs.colour_statistics()
    top = max(float(image.max()) for image in pairs.rgb)
    levels = ", ".join(f"{m:.3f} +- {s:.3f}" for m, s in zip(mean, spread, strict=True))
    unit = "relative radiance" if data.scale == 1.0 else f"counts / {data.scale:.0f}"
    return (
        f"Trained on {len(pairs)} images ({', '.join(data.names['train'])}) in {unit}; their red, "
        f"green and blue are {levels}, "
        f"{top:.3f} at most."
    )


def _placed(image: xr.DataArray) -> xr.DataArray:
    """Give an image that lies on a map north up the coordinates of its pixel centres."""
    if "transform" not in image.attrs:
        return image
    a, b, c, d, e, f = image.attrs["transform"][:6]
    if b or d or not a > 0 > e:
        return image
    rows, columns = image.shape[:2]
    return image.assign_coords(
        y=f + e * (np.arange(rows) + 0.5), x=c + a * (np.arange(columns) + 0.5)
    )
