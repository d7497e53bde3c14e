"""Figures of a library: every chapter a panel, every start a line, gaps where bands are missing."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import HsireproError, ParameterError
from hsirepro.records import Record, RecordKey
from hsirepro.report.library import plot_library, plot_light
from hsirepro.scenes.libraries import make_library

NM = np.r_[500.0:600.0:10.0, 700.0:800.0:10.0]


def record(method, **arrays):
    key = RecordKey("inss", "spans", "planted", "rgb", method, "smoke", 0)
    return Record(key, {"RMSE": 1.0}, arrays=arrays)


def test_each_chapter_is_a_panel_with_its_median():
    """Named, counted, and broken where bands are missing."""
    levels = np.array([0.1, 0.2, 0.6, 0.5])[:, None] + 0.0 * NM
    library = make_library(levels, list("abcd"), NM, None, ["S", "S", "S", "V"])
    figure = plot_library(library)
    assert [axes.get_title() for axes in figure.axes] == ["soils, 3", "vegetation, 1"]
    line = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(line).sum() == 1
    assert np.nanmax(np.abs(line - 0.2)) < 1e-12


def test_each_start_is_a_line_over_its_mean():
    """On an axis in nm, over the Sun's light."""
    starts = [record(n, wavelength=NM, atmosphere=f * NM, irradiance=NM) for n, f in (("a", 1), ("b", 9))]  # fmt: skip  # noqa: E501
    figure = plot_light(starts)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "Wavelength (nm)"
    labels = [str(line.get_label()) for line in axes.lines]
    assert [label for label in labels if not label.startswith("_")] == ["a", "b"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), axes.lines[1].get_ydata())
    assert "Sun at the ground" in [text.get_text() for text in axes.get_legend().get_texts()]
    with pytest.raises(ParameterError, match="no light"):
        plot_light([])
    with pytest.raises(HsireproError, match="atmosphere"):
        plot_light([record("a", wavelength=NM)])
