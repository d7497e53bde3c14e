"""What a training gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from torch import nn

Model = TypeVar("Model", bound=nn.Module, covariant=True)


@dataclass(frozen=True)
class Fitted(Generic[Model]):
    """A fitted model and how it came about.

    Parameters
    ----------
    model : Module
    curves : dict of ndarray
        One array per curve, such as ``loss`` by ``iteration``.
    settings : dict
        Every setting that was in force.
    earlier_s : float
        Seconds spent before this call, where it went on from a checkpoint.
    """

    model: Model
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    earlier_s: float = 0.0
