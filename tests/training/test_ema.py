"""The moving average of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hsirepro.training import moving_average


def follow(values: list[float], decay: float) -> list[float]:
    """Return the average of a single weight after each of its values."""
    line = nn.Linear(1, 1, bias=False)
    average = moving_average(line, decay)
    seen = []
    for value in values:
        with torch.no_grad():
            line.weight.fill_(value)
        average.update_parameters(line)
        seen.append(average.module.weight.item())
    return seen


def test_average_is_the_recursion() -> None:
    """The first update copies; the n-th keeps min(decay, (1 + n) / (10 + n)) of the average."""
    values = [1.0, 2.0, -1.0, 4.0, 0.5]
    expected = [values[0]]
    for n, value in enumerate(values[1:], start=1):
        keep = min(0.3, (1 + n) / (10 + n))
        expected.append(keep * expected[-1] + (1 - keep) * value)
    assert follow(values, 0.3) == pytest.approx(expected, rel=1e-6)
    assert expected[1] == pytest.approx(2 / 11 * 1.0 + 9 / 11 * 2.0)  # the warm start is at work


def test_no_decay_follows_at_once() -> None:
    """With decay 0 the average is the last."""
    assert follow([1.0, 2.0, 5.0], 0.0) == [1.0, 2.0, 5.0]


def test_a_long_average_settles_on_a_constant() -> None:
    """Weights that stay are their own average, however slow it is."""
    assert follow([3.0] * 50, 0.9999) == pytest.approx([3.0] * 50)
