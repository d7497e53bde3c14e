"""Labelled scenes: what INSS's abundances are to help with.

The paper classifies Salinas, whose cube few people have at hand. Three scenes stand in for it. Of
two of them nobody has drawn a map of classes, and the class of a pixel is the material that covers
most of it by the published abundances; such classes follow from spectra, and are easier than those
that somebody walked on. The third has a map of its own, four times finer than its cube: a pixel has
the class that more than half of its sixteen parts have, and none where no class has so many.

Every scene names the images of :mod:`~hsirepro.papers.inss.scenes` on which the network that gives
its abundances was trained, and its colours are brought to the unit of these. AVIRIS counts are
that unit already. Reflectance is not: light is what lies between, and the model of the paper
itself has it as a factor per band, so each colour is multiplied by one number, the mean of the
training images over that of the scene.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from hsirepro.errors import FormatError, ParameterError, SceneNotFound, suggest
from hsirepro.papers.inss.scenes import FULL_SCALE, chip_colours, open_dataset, pair_of
from hsirepro.recovery import Pairs
from hsirepro.scenes import CATALOGUE, open_scene, reference_unmixing, wavelengths_nm
from hsirepro.scenes.cube import make_cube, to_tensor
from hsirepro.scenes.labels import open_labels
from hsirepro.scenes.locate import locate
from hsirepro.scenes.readers import read
from hsirepro.scenes.simulate import simulate

FINER = 4  # parts of a pixel of the Houston crop in each direction, in its map of classes
PLANTED_SEED = 3  # the test image of the planted scenes
DOMINANT = "The class of a pixel is the material that covers most of it by the {} abundances."

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """A scene with classes, and its colours as a trained network knows colours.

    Parameters
    ----------
    cube : Tensor, shape (L, H, W)
        In the unit of the file.
    wavelength : ndarray, shape (L,)
        In nm.
    labels : ndarray of int, shape (H, W)
        From 1 on; 0 where a pixel has no class.
    names : tuple of str
        Of the classes, from 1 on.
    rgb : Tensor, shape (3, H, W)
        In the unit of the images that the network was trained on.
    images : str
        Those images, a key of :data:`~hsirepro.papers.inss.scenes.DATASETS`.
    sha256 : str
        Of all files together.
    notes : tuple of str
        What was done, one sentence each.
    units : str
        What a value of the cube means.
    """

    cube: Tensor
    wavelength: NDArray[np.float64]
    labels: Labels
    names: tuple[str, ...]
    rgb: Tensor
    images: str
    sha256: str
    notes: tuple[str, ...] = ()
    units: str = "unknown units"

    def array(self) -> xr.DataArray:
        """Return the cube with its axes named, dims (y, x, wavelength), for figures."""
        values = self.cube.permute(1, 2, 0).numpy()
        return make_cube(values, self.wavelength, units=self.units, sha256=self.sha256)


def open_labelled(name: str) -> Labelled:
    """Open a labelled scene.

    Parameters
    ----------
    name : str
        A key of :data:`LABELLED`.

    Raises
    ------
    ParameterError
        If there is no such scene.
    SceneNotFound
        If a file is not on this machine.
    """
    if name not in LABELLED:
        raise ParameterError(
            f"INSS has no labelled scene {name!r}.",
            hint=suggest(name, LABELLED),
            next_step="a scene of your own needs a map of classes and its colours: Labelled(...)",
        )
    return LABELLED[name]()


def like_training(rgb: Tensor, training: Pairs) -> Tensor:
    """Return colours, shape (3, H, W), times one number each: of the mean of training images.

    Raises
    ------
    ParameterError
        If a colour of the scene is 0 everywhere.

    Examples
    --------
    >>> training = Pairs([torch.full((3, 4, 4), 0.2)], [torch.rand(5, 4, 4)], np.arange(5.0))
    >>> like_training(torch.full((3, 2, 2), 1000.0), training).unique()
    tensor([0.2000])
    """
    theirs = torch.cat([image.flatten(1) for image in training.rgb], dim=1).mean(dim=1)
    ours = rgb.flatten(1).mean(dim=1)
    if not bool((ours > 0).all()):
        raise ParameterError(
            "A colour of the scene has no light: no factor brings it to that of others.",
            next_step="look at the bands nearest to 685, 541 and 443 nm",
        )
    return rgb * (theirs / ours)[:, None, None]


def majority(fine: Labels, parts: int) -> Labels:
    """Return the class that more than half of the parts of each pixel have, 0 where none has.

    Parameters
    ----------
    fine : ndarray of int, shape (H * parts, W * parts)
    parts : int
        Rows and columns of a pixel.

    Returns
    -------
    ndarray of int, shape (H, W)

    Raises
    ------
    FormatError
        If the parts do not fill whole pixels.

    Examples
    --------
    >>> majority(np.array([[1, 1, 2, 2], [1, 0, 1, 1]]), 2)
    array([[1, 0]])
    """
    if any(side % parts for side in fine.shape):
        raise FormatError(
            f"A map of {fine.shape[0]} x {fine.shape[1]} parts has no whole number of pixels of "
            f"{parts} x {parts}.",
            next_step="compare the file with the catalogue: hsirepro scenes verify",
        )
    rows, columns = fine.shape[0] // parts, fine.shape[1] // parts
    blocks = fine.reshape(rows, parts, columns, parts).swapaxes(1, 2).reshape(rows, columns, -1)
    counts = np.stack([(blocks == label).sum(axis=2) for label in range(int(fine.max()) + 1)])
    most = counts.argmax(axis=0)
    return np.where(counts.max(axis=0) > parts**2 / 2, most, 0).astype(np.int64)


def _planted() -> Labelled:
    nm = open_dataset("planted").library.wavelength.values
    scene = simulate(size=64, wavelengths=nm, seed=PLANTED_SEED, atmosphere=True)
    rgb, cube = pair_of(scene.cube, nm, 1.0)
    return Labelled(
        cube,
        nm,
        np.asarray(scene.labels, dtype=np.int64) + 1,
        scene.materials,
        rgb,
        "planted",
        hashlib.sha256(f"planted {PLANTED_SEED}".encode()).hexdigest(),
        ("The scene is simulated.", DOMINANT.format("planted")),
        str(scene.cube.attrs["units"]),
    )


def _by_reference(name: str, images: str) -> Labelled:
    """Return a scene of published abundances, in reflectance."""
    cube, reference = open_scene(name), reference_unmixing(name)
    nm = wavelengths_nm(cube, "taking colours")
    colours, bands = pair_of(cube, nm, 1.0)
    return Labelled(
        bands,
        nm,
        reference.abundances.argmax(axis=0).astype(np.int64) + 1,
        reference.names,
        like_training(colours, open_dataset(images).sides["train"]),
        images,
        str(cube.attrs["sha256"]),
        (
            DOMINANT.format("published"),
            "The scene is in reflectance: each colour was multiplied by one number, so that its "
            f"mean is that of the training images ({images}).",
        ),
        str(cube.attrs["units"]),
    )


def _houston() -> Labelled:
    name = "houston-2018-crop"
    cube = open_scene(name)
    (file,) = locate(name)
    labels = majority(np.asarray(read(file, "clasLabs").values, dtype=np.int64), FINER)
    colours, digest = chip_colours()
    both = hashlib.sha256(f"{cube.attrs['sha256']}\n{digest}".encode()).hexdigest()
    return Labelled(
        to_tensor(cube),
        wavelengths_nm(cube, "naming bands"),
        labels,
        tuple(f"class {number}" for number in range(1, int(labels.max()) + 1)),
        colours,
        "houston-chip",
        both,
        (
            "A pixel has the class of more than half of the 16 pixels of the map that lie on it.",
            "The file does not name its classes.",
            "The network that gives abundances was trained on 68 of the 128 columns of this scene, "
            "without labels.",
        ),
        str(cube.attrs["units"]),
    )


def _salinas() -> Labelled:
    cube, labels = open_scene("salinas"), open_labels("salinas")
    if labels is None:
        raise SceneNotFound(
            "The labels of Salinas are not on this machine.",
            next_step="hsirepro scenes fetch salinas",
        )
    nm = wavelengths_nm(cube, "taking colours")
    rgb, bands = pair_of(cube, nm, FULL_SCALE)
    return Labelled(
        bands,
        nm,
        labels,
        tuple(f"class {number}" for number in range(1, int(labels.max()) + 1)),
        rgb,
        "abu-crops",
        str(cube.attrs["sha256"]),
        (f"The scene is in counts, over {FULL_SCALE:.0f} as those of the training images are.",),
        str(cube.attrs["units"]),
    )


LABELLED: Mapping[str, Callable[[], Labelled]] = MappingProxyType(
    {
        "planted": _planted,
        "jasper-ridge": lambda: _by_reference("jasper-ridge", "abu-crops"),
        "houston-2018-crop": _houston,
        "muufl-unmixing": lambda: _by_reference("muufl-unmixing", "abu-crops"),
        "salinas": _salinas,
    }
)
"""The labelled scenes, by name; ``salinas``, the paper's, for who has it."""
STANDING_IN = ("jasper-ridge", "houston-2018-crop", "muufl-unmixing")
"""Those that stand in for Salinas."""


def labelled_here() -> list[str]:
    """Return ``["salinas"]`` where its files are here."""
    from hsirepro.scenes.locate import find

    here = all(find(file) is not None for file in CATALOGUE["salinas"].files)
    return ["salinas"] if here else []
