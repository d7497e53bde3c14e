"""Figures of a pair without a truth: axes in nm and pixels, and sensors without visible bands."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.report import (
    colours_for,
    plot_coverage,
    plot_pair,
    plot_pair_spectra,
    plot_widths,
)
from hsirepro.scenes.cube import make_cube

RNG = np.random.default_rng(0)
NM = np.linspace(430, 900, 12)
HSI = make_cube(RNG.random((5, 4, 12)), NM, units="counts")
MSI = make_cube(RNG.random((20, 16, 3)), None)
FUSED = {"gsa": make_cube(RNG.random((20, 16, 12)), NM)}
CENTRES = (480.0, 560.0, 655.0)
RESPONSE = RNG.random((3, 12))
COVERAGE, NAMES = [(0, 3), (2, 5), (5, 7)], ["blue", "green", "red"]
WIDTHS = {"cut to one block": ([0.5, 1, 2], [0.2, 0.01, 0.1])}


def words(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_axes_have_units() -> None:
    """Every axis says what it counts, and in which unit."""
    assert "Wavelength (nm)" in words(plot_coverage(RESPONSE, COVERAGE, NM, NAMES))
    assert "PSF sigma (MSI pixels)" in words(plot_widths(WIDTHS, 1.0))
    images = words(plot_pair(HSI, MSI, CENTRES, FUSED))
    assert "Column (pixel)" in images
    assert "650, 550, 450 nm" in images
    spectra = words(plot_pair_spectra(HSI, MSI, CENTRES, FUSED, 4))
    assert "Wavelength (nm)" in spectra
    assert "Pixel value (counts)" in spectra


def test_coverage_bars_span_the_wavelengths_they_stand_for() -> None:
    """A bar runs from half a step before its first band to half a step after its last."""
    figure = plot_coverage(RESPONSE, COVERAGE, NM, NAMES, other=("true", RESPONSE))
    half = (NM[1] - NM[0]) / 2
    for bar, (first, last) in zip(figure.axes[1].patches, COVERAGE, strict=True):
        assert bar.get_x() == pytest.approx(NM[first] - half)
        assert bar.get_x() + bar.get_width() == pytest.approx(NM[last] + half)
    assert "true" in words(figure)


def test_the_diamonds_are_the_pixel_of_the_fused_line() -> None:
    """MSI values and fused spectrum come from the same small pixel inside the HSI pixel."""
    (axes,) = plot_pair_spectra(HSI, MSI, CENTRES, FUSED, 4, pixels=[(2, 3)]).axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_array_equal(lines["MSI pixel"], MSI.values[10, 14])
    np.testing.assert_array_equal(lines["gsa, one pixel in it"], FUSED["gsa"].values[10, 14])
    np.testing.assert_array_equal(lines["HSI pixel"], HSI.values[2, 3])


def test_a_sensor_without_visible_bands_is_shown_in_what_it_has() -> None:
    """Colours fall back to the far, middle and near part of the range; one MSI band is grey."""
    hsi = make_cube(HSI.values, np.linspace(1000, 2400, 12))
    red, green, blue = colours_for(hsi)
    assert 2400 >= red > green > blue >= 1000
    assert colours_for(HSI) == (650.0, 550.0, 450.0)
    fused = {"gsa": make_cube(FUSED["gsa"].values, hsi.wavelength.values)}
    plot_pair(hsi, MSI.isel(wavelength=[0]), [1600.0], fused)


def test_what_does_not_fit_is_refused() -> None:
    """Other numbers of bands, and a width that was not estimated."""
    with pytest.raises(ShapeError, match="do not fit each other"):
        plot_coverage(RESPONSE, COVERAGE[:2], NM, NAMES)
    with pytest.raises(ParameterError, match="given, not estimated"):
        plot_widths({}, 1.0)
