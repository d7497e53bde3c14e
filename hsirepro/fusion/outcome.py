"""What a fusion method gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """A fused image and what was learned on the way.

    Parameters
    ----------
    image : Tensor, shape (L, H, W)
        The fused image, in the units of the inputs.
    curves : dict of ndarray
        One array per curve, such as ``loss`` by ``iteration``.
    learned : dict of Tensor
        Kernels, responses, endmembers: whatever the method estimates.
    settings : dict
        Every setting that was in force.
    earlier_s : float
        Seconds spent before this call, where it went on from a checkpoint.
    """

    image: Tensor
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    learned: dict[str, Tensor] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    earlier_s: float = 0.0
