"""How a recovery network is trained: random crops, a critic where there is one, and validation."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.training import (
    Length,
    TrainingRun,
    fingerprint_of,
    launch,
    rising_and_falling,
    train,
)

Model = TypeVar("Model", bound=Recoverer)
Parts = dict[str, Tensor]
Loss = Callable[[Parts, Tensor, Tensor], Parts]


@dataclass(frozen=True)
class RecoveryLength(Length):
    """How long and how a recovery network is trained; the base of every method's settings.

    Parameters
    ----------
    crop : int
        Rows and columns of the random crops.
    flips : bool
        Whether crops are mirrored and turned, all eight ways alike.
    validate_every : int
        Steps between two looks at the validation pairs.
    weight_decay : float
        Of Adam.
    """

    iterations: int = 1_500
    batch: int = 4
    learning_rate: float = 1e-3
    falls: bool = True
    crop: int = 64
    flips: bool = True
    validate_every: int = 100
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("crop", "validate_every"):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)} is too few.", next_step="give 1 or more"
                )


class Critic(nn.Module, ABC):
    """What tells real spectra from made ones, and how its opinion counts.

    Parameters
    ----------
    weight : float
        Of each of its opinions in the loss of the model.
    every : int
        It learns at every so many steps of the model.
    learning_rate : float
    """

    def __init__(self, weight: float, every: int, learning_rate: float) -> None:
        super().__init__()
        self.weight, self.every, self.learning_rate = weight, every, learning_rate

    @abstractmethod
    def opinions(self, rgb: Tensor, hsi: Tensor) -> dict[str, Tensor]:
        """Return logits, above 0 for real, of images of shapes (B, 3, H, W) and (B, L, H, W)."""


def fit_network(
    build: Callable[[], Model],
    loss: Loss,
    *,
    config: RecoveryLength,
    pairs: Pairs,
    validation: Pairs | None,
    seed: int,
    device: str,
    progress: bool,
    checkpoint: Path | None,
    title: str,
    given: Sequence[Tensor] = (),
    build_critic: Callable[[Model], Critic] | None = None,
    decay: Callable[[float], float] | None = None,
) -> Fitted:
    """Train a model on random crops; return it as it was best on the validation pairs.

    Parameters
    ----------
    build : callable
        Makes the model once the random generators are seeded.
    loss : callable
        From the parts of the model, its colours and the true image, to the terms of the loss.
    config : RecoveryLength
    pairs, validation : Pairs
        Without validation the last model is the best.
    seed, device, progress, checkpoint
        As every method takes them.
    title : str
        Shown before the progress bar.
    given : sequence of Tensor, optional
        What else a checkpoint is known by, such as a spectral library.
    build_critic : callable, optional
        Makes what the model competes with.
    decay : callable, optional
        From the share of the training that is done, 0 to 1, to that of the learning rate which is
        left; by default as the configuration says.

    Returns
    -------
    Fitted
        Curves of the terms, ``..._made`` being what the critic thinks of the model, and
        ``validation_psnr``: the PSNR in dB of a peak of 1, mean over bands and images, at every
        ``validate_every``-th ``iteration``.

    Raises
    ------
    ParameterError
        If a crop fits not every image, the device is not here, or the loss stops being finite.
    ShapeError
        If training and validation differ in bands.
    """
    pairs.check_crop(config.crop)
    if validation is not None and validation.bands != pairs.bands:
        raise ShapeError(
            f"The training images have {pairs.bands} bands, those for validation "
            f"{validation.bands}."
        )
    fabric = launch(device, config.precision, seed)
    model = build()
    critic = None if build_critic is None else build_critic(model)
    best = Best(model)
    state = nn.ModuleDict({"model": model, "best": best})
    groups = [{"params": list(model.parameters())}]
    if critic is not None:
        state["critic"] = critic
        groups.append({"params": list(critic.parameters()), "lr": critic.learning_rate})  # type: ignore[dict-item]
    fabric.to_device(state)
    optimizer = torch.optim.Adam(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    here = pairs.to(fabric.device)
    seen = None if validation is None else validation.to(fabric.device)
    run = TrainingRun(
        state,
        optimizer,
        rising_and_falling(optimizer, config, decay or (lambda share: 1.0 - share * config.falls)),
        config.iterations,
        fingerprint=fingerprint_of(
            {"method": title, **config.plain()},
            seed,
            *pairs.rgb,
            *pairs.hsi,
            *([] if validation is None else [*validation.rgb, *validation.hsi]),
            *given,
        ),
        checkpoint=checkpoint,
        log_every=config.validate_every,
        watch=lambda: {} if seen is None else {"validation_psnr": best.look(model, seen)},
    )

    def gradients() -> Parts:
        model.train()
        rgb, hsi = here.draw(config.batch, config.crop, flips=config.flips)
        with fabric.autocast():
            parts = {name: part.float() for name, part in model.parts(rgb).items()}
            terms = loss(parts, rgb, hsi)
            if critic is not None:
                if run.done % critic.every == 0:
                    _improve(critic, rgb, hsi, parts["image"].detach(), optimizer)
                for name, logit in critic.opinions(rgb, parts["image"]).items():
                    terms[f"{name}_made"] = critic.weight * _cross_entropy(logit, 1.0)
        total = torch.stack(list(terms.values())).sum()
        total.backward(inputs=list(model.parameters()))  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        return {name: term.detach() for name, term in terms.items()}

    curves = train(run, gradients, title=title, progress=progress)
    last = copy.deepcopy(model).cpu().eval()
    if seen is not None:
        model.load_state_dict(best.model.state_dict())
    return Fitted(model.cpu().eval(), curves, config.plain(), run.earlier_s, last=last)


class Best(nn.Module):
    """The model as it was when it did best on the validation pairs, and how well that was."""

    score: Tensor

    def __init__(self, model: Recoverer) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False)
        self.register_buffer("score", torch.tensor(-torch.inf))

    def look(self, model: Recoverer, pairs: Pairs) -> float:
        """Return how well a model does, and keep it if none did better."""
        made = [model.reconstruct(rgb).image for rgb in pairs.rgb]
        score = sum(
            band_psnr(image, true.cpu()) for image, true in zip(made, pairs.hsi, strict=True)
        ) / len(made)
        if score > float(self.score):
            self.score.fill_(score)
            self.model.load_state_dict(model.state_dict())
        return score


def band_psnr(made: Tensor, true: Tensor) -> float:
    """Return the PSNR in dB of a peak of 1, mean over the bands of images (L, H, W).

    Examples
    --------
    >>> round(band_psnr(torch.zeros(2, 4, 4), torch.full((2, 4, 4), 0.1)), 3)
    20.0
    """
    error = (made - true).square().flatten(1).mean(dim=1).clamp_min(1e-12)
    return float(-10.0 * error.log10().mean())


def _improve(
    critic: Critic, rgb: Tensor, real: Tensor, made: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    """Let the critic learn from one batch."""
    on_real, on_made = critic.opinions(rgb, real), critic.opinions(rgb, made)
    halves = [
        0.5 * (_cross_entropy(logit, 1.0) + _cross_entropy(on_made[name], 0.0))
        for name, logit in on_real.items()
    ]
    torch.stack(halves).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()  # the model has no gradients yet, and stays as it is
    optimizer.zero_grad(set_to_none=True)


def _cross_entropy(logit: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logit.float(), torch.full_like(logit.float(), target))
