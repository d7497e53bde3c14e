"""Figures of recovered images show what their records hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hsirepro.errors import HsireproError
from hsirepro.papers.inss import keys, run_cell
from hsirepro.report.recovery import (
    error_map,
    plot_band_images,
    plot_error_by_band,
    plot_orders,
    plot_picked_spectra,
    plot_recovered,
)


@pytest.fixture(scope="module")
def record():
    """Return the record of a method that takes no time, with pictures."""
    (key,) = keys("planted", "smoke", ["regression"])
    return run_cell(key, pictures=True)


def titles(figure):
    """Return the titles of all panels."""
    return [axes.get_title() for axes in figure.axes]


def test_maps_are_in_their_units(record):
    """The mean of the map of angles is the mean angle, up to its levels and what is cut at 30."""
    angles = error_map(record, "sam")
    told = np.degrees(record.metrics["SAM"])
    assert angles.max() <= 30.0
    assert angles.mean() <= told + 0.1
    assert abs(np.median(angles) - told) < told


def test_each_method_is_a_column_with_its_score(record):
    """Truth, methods, and a row of maps per error."""
    other = replace(record, key=replace(record.key, method="other"))
    figure = plot_recovered([record, other], errors=("rmse", "sam", "mrae"))
    shown = titles(figure)
    assert f"regression\n{record.metrics['MPSNR of planted-3']:.1f} dB" in shown
    assert sum("other" in title for title in shown) == 1
    assert len([axes for axes in figure.axes if axes.images]) >= 3 + 3 * 2


def test_spectra_lie_over_nm(record):
    """Six pixels, with truth and method in each."""
    figure = plot_picked_spectra([record])
    assert len(figure.axes) == 6
    assert all(len(axes.lines) == 2 for axes in figure.axes)
    assert figure.axes[-1].get_xlabel() == "Wavelength (nm)"
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata(), record.arrays["spectra_true"][0]
    )


def test_a_row_is_a_band(record):
    """Named by its wavelength."""
    figure = plot_band_images([record])
    bands = record.settings["bands_shown"]
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == [f"{record.arrays['wavelength'][band]:.0f} nm" for band in bands]


def test_bands_that_are_given_are_marked(record):
    """One dotted line each, beside a line per method."""
    (axes,) = plot_error_by_band([record]).axes
    assert len(axes.lines) == 1 + len(record.settings["given bands"])
    assert axes.get_ylabel() == "RMSE (counts)"


def test_orders_add_up():
    """The wide line is the sum of all, and the first order stands apart from the others."""
    orders = np.array([[4.0, 2.0, 3.0], [0.4, 0.2, 0.3], [0.1, 0.0, 0.1]])
    left, right = plot_orders([500.0, 510.0, 520.0], orders).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), orders.sum(axis=0))
    assert [line.get_label() for line in right.lines] == ["order 2", "order 3"]


@pytest.mark.parametrize("draw", [plot_recovered, plot_band_images])
def test_records_without_pictures_are_refused(draw, record):
    """With the command that records them."""
    with pytest.raises(HsireproError, match="--pictures"):
        draw([replace(record, images={})])
