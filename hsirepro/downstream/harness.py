"""How a pixel classifier is trained: patches around some labelled pixels, and nothing else.

Of the training pixels of each class one in twenty, rounded up, is set apart for validation, but
never the last of a class. The others are gone through in a new order every epoch, and the loss is

    L = mean over training pixels p of  -ln softmax(outputs(p))[class of p],

the cross entropy with label 0 ignored. After every epoch the accuracy on the validation pixels is
measured; where it has stayed below its best for more than a quarter of all epochs, the learning
rate falls to a tenth. This is ReduceLROnPlateau given the accuracy with a minus sign, as in
DeepHyperX [1]_, and its tolerance of 1e-4, meant for losses, makes an accuracy that equals the
best count as better: the rate does not fall while validation is as good as it was. The toolbox
validates with dropout at work; here it is off. The weights of the last epoch are kept, not those
of the best, as there. Where there is one training pixel per class, none is left for validation,
and the rate does not fall.

References
----------
.. [1] N. Audebert, B. Le Saux, S. Lefèvre, "Deep learning for classification of hyperspectral
   data: a comparative review", IEEE Geosci. Remote Sens. Mag. 7(2), 2019; code at 176e582.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hsirepro.downstream.model import Classifier, Fitted
from hsirepro.downstream.samples import (
    Cube,
    Labels,
    Maps,
    Pixels,
    Truth,
    Windows,
    check_room,
    checked,
    learned_from,
)
from hsirepro.errors import ParameterError
from hsirepro.training import TrainingRun, fingerprint_of, launch, train


@dataclass(frozen=True)
class Training:
    """How long and how a classifier is trained.

    Parameters
    ----------
    epochs : int
        Times that every training pixel is seen.
    batch : int
        Patches per step; the last step of an epoch may have fewer.
    learning_rate : float
        Of the method's own optimiser.
    weight_decay : float
        Weight of half the sum of squares of all numbers of the network, in the gradient.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ParameterError(
                    f"{name}={value} trains nothing.", next_step="give a whole number from 1 on"
                )
        if not self.learning_rate > 0.0 or not self.weight_decay >= 0.0:
            raise ParameterError(
                f"learning_rate={self.learning_rate} and weight_decay={self.weight_decay}: the "
                "first must be above 0, and the second not below.",
                next_step="leave them out for those of the preset",
            )


class Plateau(ReduceLROnPlateau):
    """The learning rate over the accuracy of validation, stepped after every batch.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    epochs : int
        Of the whole training; the rate falls after a quarter of them without success.
    per_epoch : int
        Steps per epoch.
    accuracy : callable, optional
        Measures the validation; None keeps the rate.

    Attributes
    ----------
    validation : float
        The last accuracy; NaN before the first.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        epochs: int,
        per_epoch: int,
        accuracy: Callable[[], float] | None,
    ) -> None:
        super().__init__(optimizer, factor=0.1, patience=epochs // 4)
        self.accuracy, self.per_epoch = accuracy, per_epoch
        self.steps, self.validation = 0, float("nan")

    def step(self) -> None:  # type: ignore[override]  # the loop has nothing to hand over
        """Measure, and lower the rate if it is time, where an epoch ends with this step."""
        self.steps += 1
        if self.accuracy is not None and self.steps % self.per_epoch == 0:
            self.validation = self.accuracy()
            super().step(-self.validation)

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and strings; how to measure is code, and no state."""
        return {name: value for name, value in super().state_dict().items() if name != "accuracy"}


def fit_classifier(
    method: type[Classifier],
    optimise: Callable[[nn.Module], Optimizer],
    cube: Cube,
    labels: Labels,
    train_pixels: Pixels,
    *,
    abundances: Maps | None,
    config: Training,
    seed: int,
    device: str,
    progress: bool,
    checkpoint: Path | None,
    title: str,
) -> Fitted:
    """Train ``method`` on the patches around some pixels; see the module.

    It seeds the random generators, so callers keep theirs with
    :func:`~hsirepro.training.own_randomness`.

    Parameters
    ----------
    method : type of Classifier
    optimise : callable
        From the network, on its device, to what changes it.
    cube, labels, train_pixels, abundances, seed, device, progress, checkpoint
        As every method takes them.
    config : Training
    title : str
        Shown before the progress bar.

    Returns
    -------
    Fitted

    Raises
    ------
    ParameterError, ShapeError, PixelError
        As every method does.
    """
    image, maps = checked(cube, abundances)
    check_room(image, method.patch)
    truth = learned_from(labels, train_pixels, image.shape[1:], seed)
    fabric = launch(device, "fp32", seed)
    model = method(
        bands=len(image), classes=truth.classes, endmembers=0 if maps is None else len(maps)
    )
    model.scale_by(image, maps)
    channels = model.channels(image, maps)
    fabric.to_device(model)
    scene = Windows(channels.to(fabric.device), method.patch)
    asked = Windows(truth.targets[None].to(fabric.device), method.patch, "constant")
    middle = method.patch // 2
    per_epoch = ceil(len(truth.learned) / config.batch)
    optimizer = optimise(model.net)
    schedule = Plateau(optimizer, config.epochs, per_epoch, _accuracy(model, scene, truth))
    run = TrainingRun(
        model.net,
        optimizer,
        schedule,
        config.epochs * per_epoch,
        fingerprint=fingerprint_of(
            {"method": title, **asdict(config)},
            seed,
            channels,
            truth.targets,
            truth.validation,
            truth.validation_labels,
        ),
        checkpoint=checkpoint,
        log_every=per_epoch,
        watch=lambda: {
            "validation": schedule.validation,
            "learning_rate": optimizer.param_groups[0]["lr"],
        },
    )
    model.train()

    def gradients() -> dict[str, Tensor]:
        pixels = _batch(truth.learned, config.batch, per_epoch, run.done, seed)
        targets = asked.at(pixels)[:, 0]
        loss = F.cross_entropy(
            model.net(scene.at(pixels)),
            targets if method.dense else targets[:, middle, middle],
            ignore_index=0,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return {"cross-entropy": loss.detach()}

    curves = train(run, gradients, title=title, progress=progress)
    return Fitted(model.cpu().eval(), curves, asdict(config), run.earlier_s)


def _batch(pixels: Tensor, size: int, per_epoch: int, done: int, seed: int) -> Tensor:
    """Return the pixels of a step, which follow from its number: a resumed run needs no more."""
    epoch, step = divmod(done, per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(len(pixels))
    return pixels[order[step * size : (step + 1) * size]]


def _accuracy(model: Classifier, scene: Windows, truth: Truth) -> Callable[[], float] | None:
    """Return what measures the share of validation pixels that are right, if there are any."""
    if not len(truth.validation):
        return None

    @torch.no_grad()
    def measure() -> float:
        model.eval()
        given = model.answers(scene, truth.validation).cpu()
        model.train()
        return float((given == truth.validation_labels).double().mean())

    return measure
