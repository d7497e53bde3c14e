"""Figures that put metrics to the test: every run is there, on axes that say what they are."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.records import Record, RecordKey
from hsirepro.report.judging import plot_damages, plot_halves, plot_rows, plot_samplers

STRENGTH = np.array([0.0, 0.5, 1.0])


def record(method, table, arrays, **settings):
    key = RecordKey("hud", table, "planted", "tiles=16", method, "smoke", 0)
    return Record(key, {"PointFidelity": 1.0}, arrays=arrays, settings=settings)


def test_each_damage_is_a_line_in_each_panel():
    """Metrics are panels, damages are named lines over strength; FID is logarithmic."""
    runs = [
        record(name, "damages", {"strength": STRENGTH, "FID": 9 * STRENGTH, "PF": 1 - STRENGTH})
        for name in ("noisy", "blurred")
    ]
    figure = plot_damages(runs, ["PF", "FID"])
    assert [axes.get_title() for axes in figure.axes] == ["PF", "FID"]
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == ["noisy", "blurred"]
        assert axes.get_xlabel() == "Strength (unitless)"
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), 1 - STRENGTH)
    assert figure.axes[1].get_yscale() == "symlog"
    with pytest.raises(ParameterError, match="recall"):
        plot_damages(runs, ["recall"])


def test_every_run_is_a_dot_and_nulls_are_hollow():
    """Methods are rows in the order given, the first on top; missing values leave no dot."""
    values = {
        "PF": {"null-tiles": [1.0, 0.9], "hud": [0.8]},
        "FID": {"hud": [30.0, float("nan")]},
    }
    figure = plot_rows(values, {"null-tiles"}, {"FID"})
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["null-tiles", "hud"]
    assert first.yaxis_inverted()
    assert [len(line.get_xdata()) for line in first.lines] == [2, 1]
    assert [line.get_markerfacecolor() == "none" for line in first.lines] == [True, False]
    assert [len(line.get_xdata()) for line in second.lines] == [0, 1]
    assert (first.get_xscale(), second.get_xscale()) == ("linear", "log")


def test_both_halves_are_marked_on_one_line():
    """A method is a row with two marks; the dashed line is that of real tiles."""
    figure = plot_halves({"hud": (0.8, 0.7), "vae": (0.9, 0.95)}, 0.75)
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    np.testing.assert_allclose([line.get_xdata() for line in marks], [[0.8, 0.9], [0.7, 0.95]])
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(dashed[0].get_xdata()) == [0.75, 0.75]
    assert axes.get_xlabel() == "Block diversity (cosine)"


def test_the_longest_sampler_is_a_band():
    """Its draws span the band; the others are lines over their steps, with their own spread."""
    drawn = np.array([[0.90, 0.94], [0.8, 0.9], [0.5, 0.7]])
    figure = plot_samplers(
        record("hud", "samplers", {"PF": drawn}, samplers=["ancestral 1000", "ddim 50", "ddim 10"]),
        ["PF"],
    )
    (axes,) = figure.axes
    (band,) = axes.patches
    assert band.get_y() == pytest.approx(0.90)
    assert band.get_height() == pytest.approx(0.04)
    (bars,) = axes.containers
    assert bars.get_label() == "ddim"
    np.testing.assert_allclose(bars.lines[0].get_xdata(), [50, 10])
    np.testing.assert_allclose(bars.lines[0].get_ydata(), [0.85, 0.6])
    assert axes.get_xlabel() == "Steps"
    assert "ancestral, 1000 steps" in [t.get_text() for t in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_damages([], ["PF"]),
        lambda: plot_rows({}, set(), set()),
        lambda: plot_halves({}, 0.5),
    ],
)
def test_nothing_is_not_drawn(draw):
    """An empty figure would look like a result."""
    with pytest.raises(ParameterError, match="nothing to draw"):
        draw()
