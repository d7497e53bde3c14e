"""Crops of a labelled scene: the class of each, and which to learn from and which to be judged by.

The class of a crop is that of most of its labelled pixels. One strip along a side of the scene, a
quarter of its length or as long as a crop, is held out: no crop that is learned from touches it,
and those that lie wholly inside are the judges. Of the four sides it is the one that leaves most
classes to both parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hsirepro.errors import ParameterError, ShapeError

JUDGED = 512  # held-out crops, at most: evenly spaced among all


@dataclass(frozen=True)
class Split:
    """Upper left pixels of crops, as (row, column).

    Attributes
    ----------
    classes : tuple of int
        The labels that can be learned, ascending.
    learned : list of Tensor, shapes (n, 2)
        Per class, all crops off the strip.
    judged, truth : Tensor, shapes (m, 2) and (m,)
        Crops inside the strip, and their labels, some of which may not be among ``classes``.
    held_out : str
        The strip, such as ``"rows 68:100"``.
    """

    classes: tuple[int, ...]
    learned: list[Tensor]
    judged: Tensor
    truth: Tensor
    held_out: str

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Draw crops from torch's own generator, all classes alike often.

        Returns
        -------
        classes : Tensor, shape (number,)
            As indices into ``classes``.
        corners : Tensor, shape (number, 2)
        """
        classes = torch.randint(len(self.classes), (number,))
        share = torch.rand(number, dtype=torch.float64)
        places = [self.learned[index] for index in classes.tolist()]
        corners = [p[int(s * len(p))] for p, s in zip(places, share.tolist(), strict=True)]
        return classes, torch.stack(corners)


def majority(labels: Tensor, size: int) -> Tensor:
    """Return the class of each crop, shape (H - size + 1, W - size + 1).

    Parameters
    ----------
    labels : Tensor of int, shape (H, W)
        0 is no label.
    size : int
        Pixels a side, at most H and W.

    Returns
    -------
    Tensor of int
        0 where no pixel is labelled; of classes of equal share the smaller label.

    Examples
    --------
    >>> majority(torch.tensor([[0, 0, 2], [0, 3, 3], [0, 2, 3]]), 2).tolist()
    [[3, 3], [2, 3]]
    """
    most = torch.zeros(len(labels) - size + 1, labels.shape[1] - size + 1, dtype=torch.int64)
    winner = torch.zeros_like(most)
    for label in _labels_in(labels):
        before = F.pad((labels == label).long().cumsum(0).cumsum(1), (1, 0, 1, 0))
        above = before[size:] - before[:-size]
        inside = above[:, size:] - above[:, :-size]
        winner[inside > most] = label
        most = torch.maximum(most, inside)
    return winner


def split(labels: Tensor, size: int) -> Split:
    """Hold out a strip; see the module.

    Parameters
    ----------
    labels : Tensor of int, shape (H, W)
        0 is no label.
    size : int
        Pixels a side of a crop.

    Raises
    ------
    ShapeError
        If the scene is less than two crops long, or less than one wide.
    ParameterError
        If fewer than two classes are labelled, or remain as the majority of crops off the strip,
        or none of these inside it.
    """
    H, W = labels.shape
    if min(H, W) < size or max(H, W) < 2 * size:
        raise ShapeError(
            f"A scene of {H} x {W} pixels has no room for crops of {size} to learn from and "
            "others, apart from them, to be judged by.",
            next_step=f"size={min(H, W, max(H, W) // 2)} is the largest",
        )
    found = _labels_in(labels)
    if len(found) < 2:
        raise ParameterError(
            f"The labels hold {len(found)} class(es) ({found}); a classifier needs two.",
            next_step="give labels of two classes, or a number: that many clusters of k-means",
        )
    classes = majority(labels, size)
    splits = [
        _cut(classes, axis, first, strip, size)
        for axis in (0, 1)
        if (length := labels.shape[axis]) >= 2 * size
        for strip in (max(size, length // 4),)
        for first in (length - strip, 0)
    ]
    best = max(splits, key=lambda s: (_shared(s), len(s.classes)))  # the first of equals
    if len(best.classes) < 2 or not _shared(best):
        raise ParameterError(
            f"Of {len(found)} classes {len(best.classes)} are the majority of crops of {size} "
            f"pixels off the held-out {best.held_out}, {_shared(best)} of them also inside; two "
            "and one are needed.",
            next_step="take smaller crops, or a scene where the classes lie less apart",
        )
    return best


def _cut(classes: Tensor, axis: int, first: int, strip: int, size: int) -> Split:
    corner = torch.arange(classes.shape[axis])
    off = (corner + size <= first) | (corner >= first + strip)
    inside = (corner >= first) & (corner + size <= first + strip)
    across = (slice(None), None) if axis == 0 else (None, slice(None))
    labelled = classes > 0
    learnable = classes.where(labelled & off[across], 0)
    names = tuple(_labels_in(learnable))
    judged = (labelled & inside[across]).nonzero()
    if len(judged) > JUDGED:
        judged = judged[torch.linspace(0, len(judged) - 1, JUDGED).round().long()]
    return Split(
        names,
        [(learnable == name).nonzero() for name in names],
        judged,
        classes[judged[:, 0], judged[:, 1]],
        f"{('rows', 'columns')[axis]} {first}:{first + strip}",
    )


def _labels_in(labels: Tensor) -> list[int]:
    """Return the labels that occur, ascending, without 0."""
    present = labels.flatten().bincount() > 0
    found: list[int] = present.nonzero()[:, 0].tolist()
    return [label for label in found if label]


def _shared(some: Split) -> int:
    return len(set(some.classes) & set(some.truth.tolist()))
