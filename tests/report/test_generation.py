"""Figures of generated tiles carry units, names and one scale."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.records import Record, RecordKey
from hsirepro.report.generation import (
    plot_densities,
    plot_endmembers,
    plot_maps,
    plot_matches,
    plot_mosaics,
    plot_trade_off,
)
from hsirepro.scenes import make_cube

NM = np.linspace(400.0, 900.0, 12)


def test_endmembers_are_drawn_over_nm_and_numbered():
    """One line each, named from 1, on an axis in nm, or in bands where nm are unknown."""
    spectra = np.random.default_rng(0).random((12, 3))
    cube = make_cube(np.zeros((2, 2, 12)), NM)
    (axes,) = plot_endmembers(spectra, cube).axes
    assert axes.get_xlabel() == "Wavelength (nm)"
    assert [line.get_label() for line in axes.lines] == ["1", "2", "3"]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), spectra[:, 1])
    blind = make_cube(np.zeros((2, 2, 12)), None)
    assert plot_endmembers(spectra, blind).axes[0].get_xlabel() == "Band"


def test_maps_share_one_scale():
    """A value has one colour on all maps, and the bar says what it is."""
    maps = np.arange(24.0).reshape(3, 2, 4)
    figure = plot_maps(maps, ["a", "b", "c"], "Abundance (unitless)", columns=2)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["a", "b", "c"]
    assert {axes.images[0].get_clim() for axes in shown} == {(0.0, 23.0)}
    assert figure.axes[-1].get_xlabel() == "Abundance (unitless)"
    flat = plot_maps(np.ones((1, 2, 2)), ["flat"], "x")
    assert flat.axes[0].images[0].get_clim() == (1.0, 2.0)


def test_densities_share_scale_and_axes():
    """How often a value occurs has one colour in all panels; wavelengths are sorted, in nm."""
    shares = np.zeros((12, 5), np.uint16)
    shares[:, 2] = 65535
    backwards = {"real": shares, "generated": shares[::-1]}
    figure = plot_densities(backwards, NM[::-1], 1.25)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["real", "generated"]
    assert panels[0].get_xlim() == pytest.approx((400.0, 900.0))
    assert panels[0].get_ylim() == pytest.approx((0.0, 1.25))
    assert panels[0].get_xlabel() == "Wavelength (nm)"
    numbers = plot_densities(backwards, np.arange(12), 1.25)
    assert numbers.axes[0].get_xlabel() == "Band"
    norms = {axes.collections[0].norm for axes in panels}
    assert len(norms) == 1


def test_matches_name_material_and_angle():
    """Each panel has both spectra, the material, and the angle between them in degrees."""
    spectra = np.random.default_rng(0).random((12, 2))
    key = RecordKey("hud", "unmixing", "samson", "p=reference", "vca", "paper", 0)
    arrays = {
        "endmembers": spectra,
        "reference": spectra + 0.1,
        "angles": np.array([1.25, 30.0]),
        "wavelength": NM,
    }
    record = Record(key, {"mean angle": 15.6}, {}, arrays, {}, {"materials": ["rock", "tree"]})
    figure = plot_matches(record)
    assert [axes.get_title() for axes in figure.axes] == ["rock, 1.2°", "tree, 30.0°"]
    assert all(len(axes.lines) == 2 for axes in figure.axes)
    with pytest.raises(ParameterError, match="endmembers"):
        plot_matches(Record(key, {"mean angle": 15.6}))


def test_nulls_are_hollow():
    """A null model is told from a method by its marker, and by its name."""
    points = {"null-tiles": [(1.0, 1.0)], "hud": [(0.99, 0.9), (0.98, 0.91)]}
    (axes,) = plot_trade_off(points, {"null-tiles"}).axes
    null, hud = axes.lines[:2]
    assert null.get_markerfacecolor() == "none"
    assert hud.get_markerfacecolor() != "none"
    assert len(hud.get_xdata()) == 2
    assert "cosine" in axes.get_xlabel()


def test_lines_stand_between_tiles():
    """Four tiles in a square have one line down and one across, and none without a size."""
    picture = np.zeros((8, 8, 3), np.uint8)
    (axes,) = plot_mosaics({"real": picture}, 4).axes
    ends = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert ends == [([0, 1], [3.5, 3.5]), ([3.5, 3.5], [0, 1])]
    assert not plot_mosaics({"real": picture}).axes[0].lines


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_mosaics({}),
        lambda: plot_densities({}, NM, 1.0),
        lambda: plot_maps(np.ones((2, 3, 3)), ["one"], "x"),
        lambda: plot_maps(np.ones((0, 3, 3)), [], "x"),
    ],
)
def test_nothing_to_draw_is_said(draw):
    """An empty figure would look like a result."""
    with pytest.raises(ParameterError):
        draw()
