"""How a generative network is trained: random tiles, Adam, and a moving average that is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.generation.model import Fitted, Generator
from hsirepro.generation.patches import Patches
from hsirepro.training import (
    Length,
    TrainingRun,
    fingerprint_of,
    launch,
    moving_average,
    rising_and_falling,
    train,
)

Model = TypeVar("Model", bound=Generator)


@dataclass(frozen=True)
class AveragedLength(Length):
    """How long and how a generative network is trained; the base of every method's settings.

    Parameters
    ----------
    average : float
        Decay of the moving average of the weights; 0 keeps the last.
    """

    average: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.average < 1.0:
            raise ParameterError(
                f"average={self.average} is no decay.", next_step="give 0 or more and less than 1"
            )


def train_averaged(
    build: Callable[[], Model],
    prepare: Callable[[Model], Patches],
    loss: Callable[[nn.Module, Tensor], dict[str, Tensor]],
    *,
    config: AveragedLength,
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
    config : AveragedLength
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
