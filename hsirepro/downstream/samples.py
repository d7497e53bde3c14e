"""What goes into a pixel classifier: scenes and labels that can be used, and patches of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.scenes.cube import DIMS, to_tensor

Cube = xr.DataArray | Tensor
Maps = Tensor | NDArray[np.floating]
Labels = Tensor | NDArray[np.integer]
Pixels = NDArray[np.bool_] | Labels

KEPT = 0.95  # of the training pixels of a class; the rest is for validation


class Windows:
    """The patches around the pixels of an image, as views of one padded copy.

    Parameters
    ----------
    image : Tensor, shape (C, H, W)
    size : int
        Rows and columns of a patch, odd; at most 2 min(H, W) - 1.
    mode : {"reflect", "constant"}
        What lies beyond the border: the image mirrored about its outermost pixels, or zeros.

    Examples
    --------
    >>> image = torch.arange(12.0).reshape(1, 3, 4)
    >>> Windows(image, 3).at(torch.tensor([0]))[0, 0]
    tensor([[5., 4., 5.],
            [1., 0., 1.],
            [5., 4., 5.]])
    """

    def __init__(self, image: Tensor, size: int, mode: str = "reflect") -> None:
        self.columns = image.shape[2]
        padded = F.pad(image[None], [size // 2] * 4, mode=mode)[0]
        # Bands last in memory: a patch is then a few long rows.
        rows_first = padded.permute(1, 2, 0).contiguous()
        self._views = rows_first.unfold(0, size, 1).unfold(1, size, 1)  # (H, W, C, size, size)

    def at(self, pixels: Tensor) -> Tensor:
        """Return the patches, shape (n, C, size, size), around pixels, counted row by row."""
        pixels = pixels.to(self._views.device)
        return self._views[pixels // self.columns, pixels % self.columns]


@dataclass(frozen=True)
class Truth:
    """What is learned from: the classes, and the pixels of each.

    Parameters
    ----------
    classes : tuple of int
        Labels of the training pixels, ascending; output k of the network stands for entry k - 1.
    targets : Tensor of int, shape (H, W)
        The output that is asked for, at the pixels that are learned from; 0 elsewhere.
    learned, validation : Tensor of int, shapes (n,) and (m,)
        Pixels, counted row by row.
    validation_labels : Tensor of int, shape (m,)
    """

    classes: tuple[int, ...]
    targets: Tensor
    learned: Tensor
    validation: Tensor
    validation_labels: Tensor


def checked(cube: Cube, abundances: Maps | None) -> tuple[Tensor, Tensor | None]:
    """Return a scene as float32 tensors on the CPU, (L, H, W) and (p, H, W), if it can be used.

    Raises
    ------
    ShapeError
        If the cube has other axes, or the abundances other pixels.
    PixelError
        If a value is NaN or infinite, or the values of an image are all equal.
    """
    if isinstance(cube, xr.DataArray):
        if set(cube.dims) != set(DIMS):
            raise ShapeError(
                f"The cube has the axes {', '.join(map(str, cube.dims))}, not {', '.join(DIMS)}.",
                next_step="hsirepro.scenes.make_cube(values, wavelength) labels an array",
            )
        cube = to_tensor(cube)
    image = _image(cube, "The cube", "(L, H, W)")
    if abundances is None:
        return image, None
    maps = _image(torch.as_tensor(abundances), "The stack of abundance maps", "(p, H, W)")
    if maps.shape[1:] != image.shape[1:]:
        raise ShapeError(
            f"The abundances have {maps.shape[1]} x {maps.shape[2]} pixels, the cube "
            f"{image.shape[1]} x {image.shape[2]}.",
            next_step="give abundances of this scene, (p, H, W)",
        )
    return image, maps


def _image(image: Tensor, name: str, axes: str) -> Tensor:
    if image.ndim != 3 or not image.numel():
        raise ShapeError(
            f"{name} has shape {tuple(image.shape)}; {axes} is needed, not empty.",
            next_step="hsirepro.scenes.to_tensor(cube) makes one from a labelled cube",
        )
    image = image.detach().cpu().float()
    low, high = torch.aminmax(image)
    if not bool(torch.isfinite(low + high)):
        channel, row, column = (~torch.isfinite(image)).nonzero()[0].tolist()
        raise PixelError(
            f"{name} holds NaN or infinite values.",
            first_at=f"row {row}, column {column}, channel {channel}",
            next_step="fill them, and set the labels there to 0",
        )
    if bool(low == high):
        raise PixelError(
            f"{name} holds {low:g} everywhere: no class differs from another.",
            next_step="look at the image",
        )
    return image


def check_room(cube: Tensor, patch: int) -> None:
    """Raise ShapeError if a scene, (L, H, W), is too small to be mirrored around a patch."""
    height, width = cube.shape[1:]
    least = patch // 2 + 1
    if min(height, width) < least:
        raise ShapeError(
            f"A scene of {height} x {width} pixels has no room for patches of {patch} x {patch}.",
            next_step=f"take a scene of at least {least} x {least} pixels",
        )


def learned_from(labels: Labels, train: Pixels, size: tuple[int, ...], seed: int) -> Truth:
    """Return what is learned from, some of it set apart for validation.

    Parameters
    ----------
    labels, train, seed
        As every method takes them.
    size : tuple of int
        Rows and columns of the scene.

    Raises
    ------
    ShapeError
        If labels or training pixels do not fit the scene.
    ParameterError
        If the labels are no whole numbers, or fewer than two classes can be learned.
    """
    given = check_labels(labels)
    if given.shape != size:
        raise ShapeError(
            f"The labels have {given.shape[0]} x {given.shape[1]} pixels, the cube {size[0]} x "
            f"{size[1]}.",
            next_step="give labels of this scene, one per pixel",
        )
    flat = given.ravel()
    pixels = _pixels(train, size)
    pixels = pixels[flat[pixels] > 0]
    classes = np.unique(flat[pixels])
    if len(classes) < 2:
        raise ParameterError(
            f"The {len(pixels)} labelled training pixels are of {len(classes)} class(es) "
            f"({', '.join(map(str, classes)) or 'none'}); a classifier needs two.",
            next_step="hsirepro.downstream.splits(labels, per_class) draws training pixels",
        )
    # A stream of its own: the orders of the epochs are drawn from [seed, epoch].
    rng = np.random.default_rng([seed, 0, 1])
    kept = []
    for label in classes:
        members = rng.permutation(pixels[flat[pixels] == label])
        kept.append(members[: max(1, int(KEPT * len(members)))])
    learned = np.concatenate(kept)
    validation = np.setdiff1d(pixels, learned)
    targets = np.zeros(flat.shape, dtype=np.int64)
    targets[learned] = 1 + np.searchsorted(classes, flat[learned])
    return Truth(
        tuple(classes.tolist()),
        torch.from_numpy(targets).reshape(size),
        torch.from_numpy(learned),
        torch.from_numpy(validation),
        torch.from_numpy(flat[validation]),
    )


def check_labels(labels: Labels) -> NDArray[np.int64]:
    """Return a label map as int64.

    Raises
    ------
    ShapeError
        If it is no map.
    ParameterError
        If it holds anything but whole numbers from 0 on.
    """
    given = np.asarray(labels)
    if given.ndim != 2 or not given.size:
        raise ShapeError(
            f"The labels have shape {given.shape}; (H, W) is needed, not empty.",
            next_step="give one label per pixel, 0 where there is none",
        )
    if given.dtype.kind not in "iu" or given.min() < 0:
        raise ParameterError(
            f"The labels are {given.dtype} from {given.min()} on; whole numbers are needed, 0 for "
            "pixels without one.",
            next_step="labels.astype(int), with 0 in place of what marks no label",
        )
    return given.astype(np.int64)


def _pixels(given: Pixels, size: tuple[int, ...]) -> NDArray[np.int64]:
    """Return training pixels, counted row by row, ascending and each once."""
    pixels = np.asarray(given)
    if pixels.dtype == bool and pixels.shape == size:
        return pixels.ravel().nonzero()[0]
    total = size[0] * size[1]
    whole = pixels.dtype.kind in "iu" and pixels.ndim == 1
    if whole and (not pixels.size or (pixels.min() >= 0 and pixels.max() < total)):
        return np.unique(pixels).astype(np.int64)
    raise ShapeError(
        f"The training pixels are {pixels.dtype} of shape {pixels.shape}; this scene takes a mask "
        f"of bool, {size[0]} x {size[1]}, or a list of pixel numbers from 0 to {total - 1}.",
        next_step="hsirepro.downstream.splits(labels, per_class)[0].train is such a mask",
    )
