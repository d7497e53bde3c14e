"""Shares of the terms of a loss add up, and an absent term is named."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.records import Record, RecordKey
from hsirepro.report import loss_shares, plot_loss_shares

TERMS = {"z_a": "|Z - Z_a|", "z_b": "|Z - Z_b|", "nu": "sparsity"}


def record(**last: float) -> Record:
    key = RecordKey("hyconet", "II", "planted", "sigma=0.5", "hyconet", "smoke", 0)
    return Record(key, {"mPSNR": 30.0}, curves={k: np.array([9.0, v]) for k, v in last.items()})


def test_shares_are_of_the_last_entry_and_sum_to_one():
    shares = loss_shares(record(z_a=1, z_b=6, nu=1), TERMS)
    assert shares == {"z_a": 0.125, "z_b": 0.75, "nu": 0.125}


def test_figure_marks_every_term_but_those_switched_off():
    (axes,) = plot_loss_shares(
        {"one": record(z_a=1, z_b=3, nu=0), "two": record(z_a=2, z_b=1, nu=1)}, TERMS
    ).axes
    one, two = (line.get_xdata() for line in axes.lines)
    np.testing.assert_array_equal(one, [0.25, 0.75, np.nan])
    np.testing.assert_array_equal(two, [0.5, 0.25, 0.25])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(TERMS.values())
    assert axes.get_xscale() == "log"
    # A row's marks do not lie on each other.
    assert np.all(axes.lines[0].get_ydata() < axes.lines[1].get_ydata())


def test_missing_curve_is_named():
    with pytest.raises(ParameterError, match=r"(?s)holds no terms of the loss.*missing +nu"):
        loss_shares(record(z_a=1, z_b=6), TERMS)


def test_loss_of_zero_has_no_shares():
    with pytest.raises(ParameterError, match="zero at its end"):
        loss_shares(record(z_a=0, z_b=0, nu=0), TERMS)


def test_nothing_to_draw():
    with pytest.raises(ParameterError, match="no records"):
        plot_loss_shares({}, TERMS)
