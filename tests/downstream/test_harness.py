"""The schedule of the learning rate, and what is set apart for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hsirepro.downstream.harness import Plateau
from hsirepro.downstream.samples import Windows, learned_from
from hsirepro.training import TrainingRun, loop, train

STEPS = 3  # per epoch
# The best is reached in epoch 2 and again in 4; from 5 on it is missed.
ACCURACIES = [0.5, 0.9, 0.7, 0.9, 0.89, 0.8, 0.85, 0.89, 0.2, 0.2, 0.2, 0.9]


def rates(tmp_path: Path | None = None, stop_at: int = 0) -> np.ndarray:
    """Return the rate after every epoch of a training whose accuracies are given."""
    net = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    epochs = len(ACCURACIES)  # a quarter of it: 3
    schedule: Plateau = Plateau(
        optimizer, epochs, STEPS, lambda: ACCURACIES[schedule.steps // STEPS - 1]
    )
    run = TrainingRun(
        net,
        optimizer,
        schedule,
        epochs * STEPS,
        checkpoint=tmp_path / "state.ckpt" if tmp_path else None,
        checkpoint_every=1,
        log_every=STEPS,
        watch=lambda: {"rate": optimizer.param_groups[0]["lr"], "seen": schedule.validation},
    )

    def gradients():
        if run.done == stop_at > 0:
            raise KeyboardInterrupt
        loss = net(torch.ones(1, 1)).sum() * 0.0
        loss.backward()
        return {"loss": loss.detach()}

    curves = train(run, gradients)
    np.testing.assert_array_equal(curves["seen"], ACCURACIES)
    return curves["rate"]


def test_the_rate_falls_when_the_best_is_missed_for_long():
    """Three epochs below the best are borne, the fourth costs a factor of 10; a tie is no miss."""
    np.testing.assert_allclose(rates(), [1.0] * 7 + [0.1] * 5)


@pytest.mark.parametrize("stop_at", [1, 14, 18, 22, 24, 29, 35])
def test_a_resumed_schedule_falls_when_an_uninterrupted_one_does(tmp_path, stop_at):
    """Killed amid an epoch or at its end, before or after the fall."""
    with pytest.raises(KeyboardInterrupt):
        rates(tmp_path, stop_at)
    np.testing.assert_array_equal(rates(tmp_path), rates())


def test_the_schedule_is_plain_data(tmp_path):
    """A checkpoint with a schedule in it loads without running code."""
    rates(tmp_path)
    state = loop.load_checkpoint(tmp_path / "state.ckpt", "")
    assert state["scheduler"]["num_bad_epochs"] == 0
    assert state["scheduler"]["steps"] == STEPS * len(ACCURACIES)


@pytest.mark.parametrize(
    ("number", "kept"), [(1, 1), (2, 1), (5, 4), (20, 19), (50, 47), (100, 95), (200, 190)]
)
def test_one_in_twenty_of_each_class_is_for_validation(number, kept):
    """Rounded up, but never the last; what is learned from and what validates share no pixel."""
    labels = np.repeat([3, 7, 8], 300).reshape(30, 30)
    train = np.concatenate([np.arange(number), 300 + np.arange(number)])
    truth = learned_from(labels, train, labels.shape, seed=1)
    assert truth.classes == (3, 7)
    targets = truth.targets.ravel()
    assert torch.bincount(targets).tolist() == [900 - 2 * kept, kept, kept]
    assert torch.equal(targets.nonzero()[:, 0], truth.learned.sort().values)
    both = torch.cat([truth.learned, truth.validation])
    assert both.sort().values.tolist() == train.tolist()
    assert truth.validation_labels.tolist() == labels.ravel()[truth.validation.numpy()].tolist()


@pytest.mark.parametrize("size", [1, 3, 5])
def test_windows_are_centred_on_their_pixels(size):
    """The middle of the patch of pixel n is pixel n, row by row; the rest is what lies around."""
    image = torch.arange(2 * 7 * 5.0).reshape(2, 7, 5)
    patches = Windows(image, size).at(torch.arange(35))
    assert patches.shape == (35, 2, size, size)
    assert torch.equal(patches[:, :, size // 2, size // 2].T.reshape(2, 7, 5), image)
    reach = size // 2
    inner = image[:, 3 - reach : 4 + reach, 2 - reach : 3 + reach]
    assert torch.equal(patches[3 * 5 + 2], inner)
