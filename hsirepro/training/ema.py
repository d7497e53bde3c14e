"""The exponential moving average of a network's weights, which samples better than the last."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of ``model`` that follows its weights.

    After n updates the average keeps min(decay, (1 + n) / (10 + n)) of itself: a short training
    would otherwise end with an average of its random start.

    Parameters
    ----------
    model : torch.nn.Module
    decay : float
        0 follows at once; 0.9999 averages over some 10,000 updates.

    Returns
    -------
    torch.optim.swa_utils.AveragedModel
        Call its ``update_parameters(model)`` after every step.

    Examples
    --------
    >>> line = nn.Linear(1, 1)
    >>> follower = moving_average(line, 0.9)
    >>> follower.update_parameters(line)
    >>> torch.equal(follower.module.weight, line.weight)
    True
    """
    return AveragedModel(model, multi_avg_fn=_towards(decay))


def _towards(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(average: Tensors, current: Tensors, done: Tensor | int) -> None:
        number = float(done)
        keep = min(decay, (1.0 + number) / (10.0 + number))
        torch._foreach_lerp_(list(average), list(current), 1.0 - keep)

    return update
