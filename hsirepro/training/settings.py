"""What every training is told: how long, how fast, and which settings of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch

from hsirepro.errors import ParameterError, suggest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class Length:
    """How long and how a network is trained; the base of every method's settings.

    Parameters
    ----------
    iterations : int
        Steps of the optimiser.
    batch : int
        Tiles or crops per step.
    learning_rate : float
        Of Adam.
    warm_up : int
        Steps in which the learning rate rises to its value.
    falls : bool
        Whether it falls to 0 by the end, evenly; where a method has no schedule of its own.
    clip_norm : float
        Largest norm of a step's gradients; longer ones are scaled to it.
    precision : {"fp32", "bf16"}
    """

    iterations: int = 2_000
    batch: int = 16
    learning_rate: float = 2e-4
    warm_up: int = 100
    falls: bool = False
    clip_norm: float = 1.0
    precision: Literal["fp32", "bf16"] = "fp32"

    def __post_init__(self) -> None:
        for name in ("iterations", "batch"):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)} trains nothing.", next_step="give 1 or more"
                )

    def plain(self) -> dict[str, object]:
        """Return the settings as what JSON can hold."""
        return {name: _plain(value) for name, value in asdict(self).items()}


Config = TypeVar("Config", bound="DataclassInstance")


def settled(
    presets: Mapping[str, Config], preset: str, settings: Mapping[str, Any], method: str
) -> Config:
    """Return a preset with some fields replaced.

    Parameters
    ----------
    presets : mapping of str to dataclass
    preset : str
    settings : mapping
        Fields and their values.
    method : str
        Its name, for errors.

    Raises
    ------
    ParameterError
        If the preset or a field is unknown, or a value impossible.
    """
    if preset not in presets:
        raise ParameterError(f"{method} has no preset {preset!r}.", hint=suggest(preset, presets))
    base = presets[preset]
    known = [entry.name for entry in fields(base)]
    for name in settings:
        if name not in known:
            raise ParameterError(f"{method} has no setting {name!r}.", hint=suggest(name, known))
    return replace(base, **settings)


def rising_and_falling(
    optimizer: torch.optim.Optimizer, config: Length, decay: Callable[[float], float]
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule of a learning rate that warms up, and then falls by ``decay``."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1.0, (step + 1) / max(1, config.warm_up)) * decay(step / config.iterations)
        ),
    )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
