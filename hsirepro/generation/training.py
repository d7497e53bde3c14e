"""How a generative network is trained: random tiles, Adam, and a moving average that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, suggest
from hsirepro.generation.model import Fitted, Generator
from hsirepro.generation.patches import Patches
from hsirepro.training import TrainingRun, fingerprint_of, launch, moving_average, train


@dataclass(frozen=True)
class Length:
    """How long and how a network is trained; the base of every method's settings.

    Parameters
    ----------
    iterations : int
        Steps of the optimiser.
    batch : int
        Tiles per step.
    learning_rate : float
        Of Adam.
    warm_up : int
        Steps in which the learning rate rises to its value.
    falls : bool
        Whether it falls to 0 by the end, evenly; where a method has no schedule of its own.
    clip_norm : float
        Largest norm of a step's gradients; longer ones are scaled to it.
    average : float
        Decay of the moving average of the weights; 0 keeps the last.
    precision : {"fp32", "bf16"}
    """

    iterations: int = 2_000
    batch: int = 16
    learning_rate: float = 2e-4
    warm_up: int = 100
    falls: bool = False
    clip_norm: float = 1.0
    average: float = 0.999
    precision: Literal["fp32", "bf16"] = "fp32"

    def __post_init__(self) -> None:
        for name in ("iterations", "batch"):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)} trains nothing.", next_step="give 1 or more"
                )
        if not 0.0 <= self.average < 1.0:
            raise ParameterError(
                f"average={self.average} is no decay.", next_step="give 0 or more and less than 1"
            )

    def plain(self) -> dict[str, object]:
        """Return the settings as what JSON can hold."""
        return {name: _plain(value) for name, value in asdict(self).items()}


Config = TypeVar("Config", bound=Length)
Model = TypeVar("Model", bound=Generator)


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


def train_averaged(
    build: Callable[[], Model],
    prepare: Callable[[Model], Patches],
    loss: Callable[[nn.Module, Tensor], dict[str, Tensor]],
    *,
    config: Length,
    seed: int,
    device: str,
    progress: bool,
    checkpoint: Path | None,
    given: Sequence[Tensor],
    title: str,
    decay: Callable[[float], float] | None = None,
) -> Fitted:
    """Train ``model.net`` on random tiles and return the model with the average of its weights.

    Parameters
    ----------
    build : callable
        Makes the model once the random generators are seeded.
    prepare : callable
        From the model to the patches that its network learns.
    loss : callable
        From the network and a batch, shape (B, C, size, size), to the terms of the loss.
    config : Length
    seed, device, progress, checkpoint
        As every method takes them.
    given : sequence of Tensor
        The images, by which a checkpoint is known.
    title : str
        Shown before the progress bar.
    decay : callable, optional
        From the share of the training that is done, 0 to 1, to that of the learning rate which is
        left; by default as the configuration says.

    Returns
    -------
    Fitted

    Raises
    ------
    ParameterError
        If the device is not here, or the loss stops being finite.
    """
    fabric = launch(device, config.precision, seed)
    model = build()
    patches = prepare(model).mapped(lambda image: image.to(fabric.device))
    fabric.to_device(model)
    net = model.net
    average = moving_average(net, config.average)
    optimizer = torch.optim.Adam(net.parameters(), lr=config.learning_rate, fused=True)
    run = TrainingRun(
        nn.ModuleDict({"net": net, "average": average}),
        optimizer,
        rising_and_falling(optimizer, config, decay or (lambda share: 1.0 - share * config.falls)),
        config.iterations,
        fingerprint=fingerprint_of(
            {"method": title, "size": patches.size, **config.plain()}, seed, *given
        ),
        checkpoint=checkpoint,
        project=lambda: average.update_parameters(net),
    )
    net.train()

    def gradients() -> dict[str, Tensor]:
        batch = patches.draw(config.batch)
        with fabric.autocast():
            terms = loss(net, batch)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
        return {name: term.detach() for name, term in terms.items()}

    curves = train(run, gradients, title=title, progress=progress)
    net.load_state_dict(average.module.state_dict())
    return Fitted(model.cpu().eval(), curves, config.plain(), run.earlier_s)


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
