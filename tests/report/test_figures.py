"""A figure says what it shows: quantities, units, and gaps where there is no measurement."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.report import (
    plot_curves,
    plot_fusion,
    plot_metric_by_band,
    plot_psf,
    plot_scene,
    plot_spectra,
    plot_srf,
)
from hsirepro.report.style import WIDTH, palette, spectrum_with_gaps
from hsirepro.scenes.cube import drop_bad_bands, make_cube

WAVELENGTHS = np.linspace(420, 1000, 30)


def scene(rows: int = 13, columns: int = 7, seed: int = 0, **attrs: object) -> xr.DataArray:
    pixels = 0.2 + 0.6 * np.random.default_rng(seed).random((rows, columns, 30))
    return make_cube(pixels, WAVELENGTHS, **attrs)


def kernel(size: int = 4, sigma: float = 1.0) -> np.ndarray:
    at = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(at[:, None] ** 2 + at**2) / (2 * sigma**2))
    return weights / weights.sum()


def responses(bands: int) -> np.ndarray:
    weights = np.random.default_rng(3).random((bands, 30))
    return weights / weights.sum(axis=1, keepdims=True)


CURVES = {"iteration": [20, 40, 60], "loss": [1.0, 0.1, 0.02], "mPSNR": [20, 25, 26.0]}
FIGURES = {
    "scene": lambda: plot_scene(scene()),
    "spectra": lambda: plot_spectra(scene(), {"gsa": scene(seed=1)}),
    "fusion": lambda: plot_fusion(scene(), {"gsa": scene(seed=1), "bicubic": scene(seed=2)}),
    "psf": lambda: plot_psf(kernel(), kernel(sigma=1.2)),
    "srf": lambda: plot_srf(responses(3), responses(3), WAVELENGTHS, ["blue", "green", "red"]),
    "curves": lambda: plot_curves(CURVES),
    "by band": lambda: plot_metric_by_band(scene(), {"gsa": scene(seed=1)}),
}


def labels(figure: Figure) -> list[str]:
    return [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]


def texts(figure: Figure) -> str:
    return " | ".join(t.get_text() for t in figure.findobj(mpl.text.Text))


@pytest.mark.parametrize("name", FIGURES)
def test_same_data_same_picture(name):
    """A figure repeats byte for byte whatever the reader's matplotlibrc says, and leaves it be."""
    first = FIGURES[name]()
    assert first.get_figwidth() == WIDTH
    picture = first._repr_png_()
    assert picture.startswith(b"\x89PNG")
    with mpl.rc_context({"font.size": 31, "lines.linewidth": 9, "axes.facecolor": "red"}):
        second = FIGURES[name]()._repr_png_()
        assert mpl.rcParams["font.size"] == 31
    assert second == picture


@pytest.mark.parametrize("name", FIGURES)
def test_labels_stay_inside_the_picture(name):
    """No word is cut off at the edge."""
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    page = figure.get_tightbbox().padded(-0.05)
    assert page.x0 >= -0.06
    assert page.y0 >= -0.06
    assert page.x1 <= figure.get_figwidth() + 0.06
    assert page.y1 <= figure.get_figheight() + 0.06


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scene", ["Column (pixel)", "Row (pixel)", "Wavelength (nm)", "Reflectance (unitless)"]),
        ("spectra", ["Wavelength (nm)", "Reflectance (unitless)"]),
        ("fusion", ["Spectral angle to the reference (degrees)"]),
        ("psf", ["Column (fine pixel)", "Row (fine pixel)", "Weight (unitless)"]),
        ("srf", ["Wavelength (nm)", "Weight (unitless)"]),
        ("curves", ["Iteration", "Loss (unitless, log scale)", "PSNR (dB)"]),
        ("by band", ["Wavelength (nm)", "PSNR (dB)"]),
    ],
)
def test_axes_carry_units(name, expected):
    """Every axis names its quantity and its unit."""
    assert set(expected) <= set(labels(FIGURES[name]()))


def test_units_come_from_the_cube():
    """A cube of counts is drawn in counts."""
    counts = scene(units="counts")
    assert "Pixel value (counts)" in labels(plot_scene(counts))
    figure = plot_metric_by_band(counts, {"a": scene(seed=1, units="counts")}, metric="RMSE")
    assert "RMSE (counts)" in labels(figure)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (37, 3), (5, 64)])
def test_odd_sizes_are_drawn(rows, columns):
    """An image may be one pixel, one row, tall or wide."""
    cube, other = scene(rows, columns), scene(rows, columns, seed=1)
    for figure in (
        plot_scene(cube),
        plot_fusion(cube, {"a": other}),
        plot_spectra(cube, {"a": other}),
        plot_metric_by_band(cube, {"a": other}),
    ):
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_spectra_break_at_bad_and_missing_bands():
    """Where there is no measurement there is no line, whether a band is marked or was dropped."""
    marked = scene(bad_bands=range(12, 18))
    for cube in (marked, drop_bad_bands(marked)):
        line = plot_scene(cube, [(3, 3)]).axes[1].lines[0]
        inside = (line.get_xdata() > WAVELENGTHS[11]) & (line.get_xdata() < WAVELENGTHS[18])
        assert inside.any()
        assert np.isnan(line.get_ydata()[inside]).all()
        assert np.isfinite(line.get_ydata()[~inside]).all()


def test_overlapping_spectrometers_are_put_in_order():
    """AVIRIS wavelengths step back between spectrometers; a line must not."""
    x, y = spectrum_with_gaps([400, 420, 440, 430, 450], [1, 2, 4, 3, 5])
    assert x.tolist() == [400, 420, 430, 440, 450]
    assert y.tolist() == [1, 2, 3, 4, 5]


def test_marked_pixels_and_spectra_share_colour_and_marker():
    """A reader who cannot tell two colours can still tell whose spectrum it is."""
    image, spectra = plot_scene(scene(), [(0, 0), (12, 6)]).axes
    for mark, line, (row, column) in zip(
        image.lines, spectra.lines, [(0, 0), (12, 6)], strict=True
    ):
        assert mark.get_color() == line.get_color()
        assert mark.get_marker() == line.get_marker()
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (column, row)
        assert line.get_label() == f"row {row}, column {column}"
    assert len({line.get_marker() for line in spectra.lines}) == 2


def test_fused_images_share_the_stretch_of_the_reference():
    """A method that darkens the scene has to look dark beside the reference."""
    cube = scene()
    images = [
        axes.images[0].get_array() for axes in plot_fusion(cube, {"dark": cube * 0.5}).axes[:2]
    ]
    assert images[1].mean() < 0.6 * images[0].mean()


def test_error_map_is_the_angle_in_degrees():
    """Scaling a spectrum does not turn it; swapping two bands does, by a known angle."""
    pixels = np.zeros((1, 2, 3))
    pixels[...] = [1, 1, 0]
    reference = make_cube(pixels, [450, 550, 650])
    turned = pixels * 3
    turned[0, 1] = [1, 0, 0]
    figure = plot_fusion(reference, {"a": make_cube(turned, [450, 550, 650])})
    maps = [axes for axes in figure.axes if axes.get_title().startswith("SAM")]
    np.testing.assert_allclose(maps[0].images[0].get_array(), [[0, 45]], atol=1e-5)
    assert maps[0].get_title() == "SAM, mean 22.50°"


def test_zero_spectra_are_wrong_by_a_right_angle():
    """A spectrum of zeros has no direction; where the truth has one, that counts as 90 degrees."""
    cube = scene(2, 2)
    dark = cube.copy()
    dark[0, 0] = 0
    figure = plot_fusion(cube, {"dark": dark})
    shown = next(axes for axes in figure.axes if axes.get_title().startswith("SAM"))
    assert shown.get_title() == "SAM, mean 22.50°"
    assert shown.images[0].get_array()[0, 0] == 90


@pytest.mark.parametrize("methods", [1, 4, 5, 9])
def test_all_methods_find_room_on_one_scale(methods):
    """However many methods there are, each has its image and map, and maps share one scale."""
    fused = {f"method {i}": scene(seed=i + 1) for i in range(methods)}
    figure = plot_fusion(scene(), fused)
    maps = [axes.images[0] for axes in figure.axes if axes.get_title().startswith("SAM")]
    assert len(maps) == methods
    assert {image.get_clim() for image in maps} == {maps[0].get_clim()}
    assert set(fused) <= {axes.get_title() for axes in figure.axes}


def test_kernels_share_one_scale_and_say_how_close_they_are():
    """The title gives correlation and L1 distance, by hand here for shifted weight."""
    learned = np.array([[0.5, 0.5], [0.0, 0.0]])
    truth = np.array([[0.75, 0.25], [0.0, 0.0]])
    figure = plot_psf(learned, truth)
    expected = np.corrcoef([0.5, 0.5, 0, 0], [0.75, 0.25, 0, 0])[0, 1]
    assert f"Correlation {expected:.3f}, L1 distance 0.5" in texts(figure)
    left, right = (axes.images[0] for axes in figure.axes[:2])
    assert left.get_clim() == right.get_clim() == (0, 0.75)


def test_flat_kernel_has_no_correlation():
    """A kernel of equal weights has no shape to correlate, and the title says so."""
    assert "Correlation undefined" in texts(plot_psf(np.full((2, 2), 0.25), kernel(2)))


@pytest.mark.parametrize("bands", [1, 3, 12])
def test_responses_of_any_number_of_bands_are_drawn(bands):
    """True responses are dashed, learned ones solid, in one colour per band."""
    axes = plot_srf(responses(bands), responses(bands), WAVELENGTHS).axes[0]
    learned, true = axes.lines[::2], axes.lines[1::2]
    assert len(learned) == len(true) == bands
    assert {line.get_linestyle() for line in learned} == {"-"}
    assert {line.get_linestyle() for line in true} == {"--"}
    assert all(a.get_color() == b.get_color() for a, b in zip(learned, true, strict=True))
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == [*(f"band {i + 1}" for i in range(bands)), "learned", "true"]


def test_losses_are_on_a_log_axis_and_accuracy_is_not():
    """Losses fall by orders of magnitude, decibels are logarithms already."""
    losses, accuracy = plot_curves({**CURVES, "sum to one": [0.1, 0.0, -1.0]}).axes
    assert (losses.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
    assert [line.get_label() for line in losses.lines] == ["loss", "sum to one"]
    assert accuracy.lines[0].get_xdata().tolist() == [20, 40, 60]
    assert np.isnan(losses.lines[1].get_ydata()).tolist() == [False, True, True]


def test_accuracy_by_band_has_the_peak_of_the_band():
    """PSNR takes each band's largest true value as peak; a perfect band has no finite PSNR."""
    truth = np.ones((2, 2, 3)) * [1.0, 2.0, 4.0]
    reference = make_cube(truth, [450, 550, 650])
    estimate = make_cube(truth + np.array([0.1, 0.1, 0.0]), [450, 550, 650])
    line = plot_metric_by_band(reference, {"a": estimate}).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [20, 26.0206, np.nan], atol=1e-4)
    line = plot_metric_by_band(reference, {"a": estimate}, "RMSE").axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.1, 0], atol=1e-6)


def test_lines_stay_apart_without_colour():
    """In grey print the first two lines differ in lightness, and all four in their dashes."""
    lightness = [np.dot(colour, [0.2126, 0.7152, 0.0722]) for colour in palette()[:2]]
    assert abs(lightness[0] - lightness[1]) > 0.1
    axes = plot_metric_by_band(scene(), {str(i): scene(seed=i + 1) for i in range(4)}).axes[0]
    assert len({line.get_linestyle() for line in axes.lines}) == 4


UNKNOWN = make_cube(np.ones((4, 4, 3)), None, source="plain.npy")


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda: plot_scene(scene(), [(13, 0)]), ParameterError, "row 13, column 0.* outside"),
        (lambda: plot_scene(scene(), [(0, -1)]), ParameterError, "13 rows, 7 columns"),
        (lambda: plot_scene(scene(), []), ParameterError, "0 pixels"),
        (lambda: plot_scene(scene(), [(0, 0)] * 9), ParameterError, "1 to 8"),
        (lambda: plot_scene(UNKNOWN), WavelengthError, "plain.npy"),
        (lambda: plot_spectra(UNKNOWN, {}), WavelengthError, "A plot of spectra needs"),
        (lambda: plot_metric_by_band(UNKNOWN, {}), WavelengthError, "A plot by band needs"),
        (lambda: plot_fusion(scene(), {"gsa": scene(12)}), ShapeError, "12 x 7 pixels, 30 bands"),
        (lambda: plot_spectra(scene(), {"gsa": scene(12)}), ShapeError, "'gsa'"),
        (lambda: plot_fusion(scene(), {}), ParameterError, "no fused cube"),
        (lambda: plot_psf(kernel(4), kernel(5)), ShapeError, r"\(5, 5\)"),
        (lambda: plot_psf([1.0, 2.0], [1.0, 2.0]), ShapeError, "Two kernels of one size"),
        (
            lambda: plot_srf(responses(3), responses(3), WAVELENGTHS[1:]),
            ShapeError,
            "wavelengths +29",
        ),
        (
            lambda: plot_srf(responses(3), responses(3), WAVELENGTHS, ["blue"]),
            ShapeError,
            "names +1",
        ),
        (lambda: plot_curves({"loss": [1.0]}), ParameterError, r"\['loss'\] cannot be drawn"),
        (lambda: plot_curves({"iteration": [1]}), ParameterError, "at least one curve"),
        (
            lambda: plot_curves({"iteration": [1, 2], "loss": [1.0]}),
            ShapeError,
            "'loss' has 1 values for 2 iterations",
        ),
        (
            lambda: plot_metric_by_band(scene(), {}, metric="PSRN"),
            ParameterError,
            "did you mean 'PSNR'",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, error, text):
    """An error names the thing that does not fit and what would."""
    with pytest.raises(error, match=f"(?s){text}"):
        draw()
