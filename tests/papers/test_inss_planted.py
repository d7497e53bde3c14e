"""Planted truth for INSS: what models of each order make of one, two and three reflections."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.papers.inss import asked, keys, planned, run_cell
from hsirepro.papers.inss.planted import MATERIALS, Effort, explain, ground
from hsirepro.recovery.mixing import Mixing

SHORT = Effort(rounds=5, steps=40, iterations=0)


def left(order, truth):
    """Return abundances, and what is left of the bands between over the noise."""
    torch.manual_seed(0)
    shares, _, between = explain(Mixing(len(MATERIALS), order), truth, SHORT)
    return shares, between / truth.noise


def test_one_reflection_needs_no_second():
    """Linear scenes are explained to the noise, and higher orders gain nothing on unseen bands."""
    truth = ground(1, seed=3, size=32)
    shares, once = left(1, truth)
    assert once < 1.3
    assert np.sqrt(((shares - truth.abundances) ** 2).mean()) < 0.005
    assert min(left(order, truth)[1] for order in (2, 3)) > 0.97 * once


@pytest.mark.parametrize("planted", [2, 3])
def test_more_reflections_need_a_second_order(planted):
    """The best linear mixture leaves 30 times the noise, second order a quarter of it at most."""
    truth = ground(planted, seed=3, size=32)
    once, twice = (left(order, truth) for order in (1, 2))
    assert once[1] > 30
    assert twice[1] < once[1] / 4
    error = [np.sqrt(((shares - truth.abundances) ** 2).mean()) for shares, _ in (once, twice)]
    assert error[1] < error[0]


def test_cells_are_orders_by_orders():
    """Three models on three kinds of scene, planned once, and asked for one by one."""
    cells = keys("planted", "quick", None, [0], table="planted")
    assert len({(key.condition, key.method) for key in cells}) == len(cells) == 9
    assert sum(key.table == "planted" for key in planned("quick")) == 9
    (one,) = asked("planted", "planted", "planted-order=2", "smoke", ["order-3"])
    assert (one.condition, one.method) == ("planted-order=2", "order-3")


@pytest.mark.parametrize(
    ("scene", "condition", "text"),
    [
        ("abu-crops", "", "truth of 'abu-crops' is not known"),
        ("planted", "planted-order=4", "no condition 'planted-order=4'"),
        ("planted", "rgb", "no condition 'rgb'"),
    ],
)
def test_truth_that_nobody_knows_is_not_asked_for(scene, condition, text):
    """Real scenes have no planted order, and nothing is planted beyond three."""
    with pytest.raises(ParameterError, match=text):
        asked("planted", scene, condition, "smoke")


def test_a_cell_states_its_errors_beside_two_guesses():
    """Errors of abundances from spectra and from colours, of guesses, and what is left."""
    (key,) = asked("planted", "planted", "planted-order=1", "smoke", ["order-1"])
    record = run_cell(key)
    error = {n.removeprefix("RMSE of "): v for n, v in record.metrics.items() if "RMSE" in n}
    assert error["abundances from spectra"] < 0.01
    assert error["abundances from colours"] < error["uniform abundances"]
    assert error["mean abundances"] < error["uniform abundances"]
    for shares in record.arrays.values():
        assert shares.sum() == pytest.approx(1.0, abs=1e-4)
