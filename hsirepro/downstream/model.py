"""What a fitted pixel classifier is: it names the class of every pixel, and can be kept in a file.

A classifier sees a pixel with what lies around it: a patch of s x s pixels, all bands. The network
answers with K + 1 numbers for K classes. Output 0 stands for "no label" as in the toolbox that
the methods are known from [1]_; the loss never asks for it, so it only enters the softmax, and it
is never given as a class. It is kept because the sizes of the networks, by which a
re-implementation is told to be the same, count it.

Bands are scaled by the smallest and the largest value of the whole training cube, x' = (x - low) /
(high - low), as in the toolbox, so the form of a spectrum is kept; a cube that is classified later
is scaled by the same two numbers and may go beyond 0 and 1. INSS [2]_ gives classifiers abundances
beside the bands (eq. 22) without saying how. Here the p maps are p more channels behind the last
band, scaled by the smallest and largest value of all of them together: the shares of one pixel
keep their proportions, and are of the size of the bands, whatever the unit of these. A 3-D
convolution goes over them as over bands, although their order means nothing.

Patches beyond the border see the scene mirrored about its outermost pixels. The toolbox leaves
out training pixels whose patch crosses the border, and never classifies pixels there, which then
count as wrong. Here every pixel is used and every pixel classified, so results do not hang on how
far from the border a field lies.

References
----------
.. [1] N. Audebert, B. Le Saux, S. Lefèvre, "Deep learning for classification of hyperspectral
   data: a comparative review", IEEE Geosci. Remote Sens. Mag. 7(2), 2019 (DeepHyperX).
.. [2] L. Liu, Z. Zou, Z. Shi, "Hyperspectral remote sensing image synthesis based on implicit
   neural spectral mixing models", IEEE TGRS 61, 2023, section IV-E.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hsirepro import training
from hsirepro.downstream.samples import Cube, Maps, Windows, check_room, checked
from hsirepro.errors import ShapeError

CHUNK = 256  # pixels classified at once


class Classifier(nn.Module, ABC):
    """A network for patches. ``shape`` rebuilds it empty; its state dictionary fills it.

    Parameters
    ----------
    bands : int
        Number L of bands.
    classes : sequence of int
        Labels of the classes, ascending, none of them 0.
    endmembers : int
        Number p of abundance maps; 0 for a classifier without.

    Attributes
    ----------
    patch : int
        Rows and columns that the network sees.
    fewest : int
        Channels that the network needs at least.
    dense : bool
        Whether the network answers for every pixel of a patch, shape (B, K + 1, s, s), and not
        for the one in the middle, (B, K + 1).
    shape : dict
        The parameters, plain numbers and lists, so that a file can hold them.
    net : torch.nn.Module
        What training changes.
    """

    patch: ClassVar[int]
    fewest: ClassVar[int] = 1
    dense: ClassVar[bool] = False
    low: Tensor  # (2,): of the cube, and of the abundances
    high: Tensor

    def __init__(self, *, bands: int, classes: Sequence[int], endmembers: int = 0) -> None:
        super().__init__()
        self.shape: dict[str, object] = {
            "bands": bands,
            "classes": [int(label) for label in classes],
            "endmembers": endmembers,
        }
        self.bands, self.endmembers, self.classes = bands, endmembers, tuple(classes)
        if bands + endmembers < self.fewest:
            raise ShapeError(
                f"{type(self).__name__} needs {self.fewest} channels or more; here are {bands} "
                f"bands and {endmembers} abundance maps.",
                next_step="take another method",
            )
        self.register_buffer("low", torch.zeros(2))
        self.register_buffer("high", torch.ones(2))
        self.net = self.network(bands, endmembers, len(classes) + 1)

    @staticmethod
    @abstractmethod
    def network(bands: int, endmembers: int, outputs: int) -> nn.Module:
        """Return the method's network, for patches of shape (B, L + p, patch, patch)."""

    def logits(self, patches: Tensor) -> Tensor:
        """Return the outputs for the pixels in the middle of patches, shape (B, K + 1)."""
        outputs: Tensor = self.net(patches)
        return outputs

    def scale_by(self, cube: Tensor, abundances: Tensor | None) -> None:
        """Keep the smallest and the largest value of what :func:`checked` has let pass."""
        for number, image in enumerate((cube, abundances)):
            if image is not None:
                self.low[number], self.high[number] = torch.aminmax(image)

    def channels(self, cube: Tensor, abundances: Tensor | None) -> Tensor:
        """Return the scaled bands and abundances of a scene, shape (L + p, H, W)."""
        images = [image for image in (cube, abundances) if image is not None]
        low, high = self.low.to(cube.device), self.high.to(cube.device)
        scaled = [(x - low[i]) / (high[i] - low[i]) for i, x in enumerate(images)]
        return torch.cat(scaled)

    def answers(self, windows: Windows, pixels: Tensor) -> Tensor:
        """Return the labels that the network gives to pixels, shape (n,), on its device."""
        classes = torch.tensor(self.classes, device=self.low.device)
        given = [
            self.logits(windows.at(part))[:, 1:].argmax(dim=1)
            for part in torch.split(pixels, CHUNK)
        ]
        return classes[torch.cat(given)]

    @torch.no_grad()
    def classify(
        self,
        cube: Cube,
        abundances: Maps | None = None,
        *,
        where: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Return the class of every pixel, or of those that are asked for.

        It holds one scaled copy of the scene, padded, and works on 256 pixels at a time.

        Parameters
        ----------
        cube : DataArray, dims (y, x, wavelength), or Tensor, shape (L, H, W)
            In the units of the cube that it was fitted to, of the same bands. Of at least half a
            patch a side, so that there is something to mirror.
        abundances : Tensor or ndarray, shape (p, H, W), optional
            Needed if, and only if, it was fitted to some.
        where : ndarray of bool, shape (H, W), optional
            Pixels to classify; all by default.

        Returns
        -------
        ndarray of int, shape (H, W)
            Labels of the classes that it was fitted to, and no others; 0 where none was asked for.

        Raises
        ------
        ShapeError
            If bands or abundances are others than it was fitted to, the scene is too small, or
            ``where`` is of another size.
        PixelError
            If a value is NaN or infinite.
        """
        image, maps = checked(cube, abundances)
        height, width = image.shape[1:]
        self._check_scene(image, maps)
        self.eval()
        windows = Windows(self.channels(image, maps).to(self.low.device), self.patch)
        asked = np.ones((height, width), dtype=bool) if where is None else np.asarray(where)
        if asked.shape != (height, width) or asked.dtype != bool or not asked.any():
            raise ShapeError(
                f"where is {asked.dtype} of shape {asked.shape}; a mask of {height} x {width} with "
                "at least one pixel is needed.",
                next_step="leave it out to classify all pixels",
            )
        pixels = torch.from_numpy(asked.ravel().nonzero()[0])
        found = np.zeros((height, width), dtype=np.int64)
        found[asked] = self.answers(windows, pixels).cpu().numpy()
        return found

    def _check_scene(self, cube: Tensor, abundances: Tensor | None) -> None:
        check_room(cube, self.patch)
        if len(cube) != self.bands:
            raise ShapeError(
                f"The cube has {len(cube)} bands; this classifier was fitted to {self.bands}.",
                next_step="classify a cube of the same bands, in the same order",
            )
        given = 0 if abundances is None else len(abundances)
        if given != self.endmembers:
            raise ShapeError(
                f"{given} abundance maps are given; this classifier was fitted to "
                f"{self.endmembers}.",
                next_step="give the maps of the same endmembers"
                if self.endmembers
                else "leave abundances out",
            )


Fitted = training.Fitted[Classifier]
"""A fitted classifier, on the CPU and in evaluation mode, and how it came about.

Its curves have one entry per epoch, by ``iteration``: ``loss`` and ``cross-entropy`` of its last
batch, ``validation``, the share of validation pixels that are right (NaN where there are none),
and ``learning_rate``.
"""
