"""Figures of studies show every variant, with its spread, and say what was not recorded."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.records import Record, RecordKey
from hsirepro.report import (
    plot_abundances,
    plot_against,
    plot_convergence,
    plot_grid,
    plot_kernels,
    plot_variants,
)
from hsirepro.report.style import WIDTH

ALPHA, BETA = "alpha (unitless)", "beta (unitless)"


def record(
    method: str = "full",
    psnr: float = 30.0,
    *,
    seed: int = 0,
    condition: str = "sigma=0.5",
    scene: str = "planted",
    **held: object,
) -> Record:
    key = RecordKey("hyconet", "fig-5", scene, condition, method, "smoke", seed)
    return Record(key, {"mPSNR": psnr, "mSAM": psnr / 10}, **held)


def seeds(*psnr: float) -> list[Record]:
    return [record(psnr=value, seed=seed) for seed, value in enumerate(psnr)]


def trained(psnr: Sequence[float] = (20, 25, 26)) -> Record:
    curves = {"iteration": np.array([10, 100, 1000]), "mPSNR": np.array(psnr, float)}
    return record(curves=curves | {"z_b": np.array([3.0, 0.5, 0.0])})


def kernel(sigma: float) -> np.ndarray:
    at = np.arange(4) - 1.5
    weights = np.exp(-(at[:, None] ** 2 + at**2) / (2 * sigma**2))
    return weights / weights.sum()


def learned(sigma: float, scene: str = "planted") -> Record:
    arrays = {"true_psf": kernel(sigma), "psf": kernel(1.2 * sigma)}
    return record(condition=f"sigma={sigma:g}", scene=scene, arrays=arrays)


def shares(rows: int = 3) -> np.ndarray:
    counts = np.ones((rows, 50))
    counts[:, 0], counts[0, 7] = 900, 0
    return counts / counts.sum(axis=1, keepdims=True)


def abundant(rows: int = 3) -> Record:
    images = {
        "sum_error_a": np.full((8, 12), 250, np.uint16),
        "sum_error_a_h_a": np.full((2, 3), 500, np.uint16),
        "sum_error_a_h_b": np.full((2, 3), 1000, np.uint16),
    }
    return record(arrays={"abundance_histogram": shares(rows)}, images=images)


def shown(figure: mpl.figure.Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text()]


def labels(figure: mpl.figure.Figure) -> set[str]:
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())} - {""}


GRID = {(1.0, 1.0): 30.0, (10.0, 1.0): 32.5, (1.0, 10.0): 31.25}
SERIES = {
    "planted": {5.0: seeds(20, 22), 10.0: [], 30.0: seeds(30, 33, 36)},
    "houston": {5.0: seeds(25), 10.0: seeds(26), 30.0: seeds(27)},
}
FIGURES = {
    "grid": lambda: plot_grid(GRID, x=ALPHA, y=BETA, label="mPSNR (dB)"),
    "variants": lambda: plot_variants({"full": seeds(30, 31), "none": []}, ("mPSNR", "mSAM")),
    "convergence": lambda: plot_convergence({"clamp": trained(), "softmax": trained((1, 2, 3))}),
    "against": lambda: plot_against(SERIES),
    "kernels": lambda: plot_kernels([learned(0.5), learned(2.0)]),
    "abundances": lambda: plot_abundances(abundant()),
}


@functools.cache
def printed(name: str) -> tuple[mpl.figure.Figure, bytes]:
    """Return a figure that tests only look at, and its picture."""
    figure = FIGURES[name]()
    return figure, figure._repr_png_()


def drawn(name: str) -> mpl.figure.Figure:
    return printed(name)[0]


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_repeats_and_leaves_pyplot_alone(name):
    """The same records give the same bytes at book width, and the reader's settings stay."""
    first, picture = printed(name)
    assert first.get_figwidth() == WIDTH
    with mpl.rc_context({"font.size": 31, "lines.linewidth": 9, "axes.facecolor": "red"}):
        second = FIGURES[name]()._repr_png_()
        assert mpl.rcParams["font.size"] == 31
    assert second == picture
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", FIGURES)
def test_labels_stay_inside_the_picture(name):
    """No word is cut off at the edge."""
    figure = drawn(name)
    page = figure.get_tightbbox()
    assert min(page.x0, page.y0) >= -0.02
    assert page.x1 <= figure.get_figwidth() + 0.02
    assert page.y1 <= figure.get_figheight() + 0.02


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("grid", {ALPHA, BETA, "mPSNR (dB)"}),
        ("variants", {"mPSNR (dB)\n↑ higher is better", "mSAM (degrees)\n↓ lower is better"}),
        ("convergence", {"Iteration", "mPSNR (dB)"}),
        ("against", {"Number of endmembers", "mPSNR (dB)", "mSAM (degrees)"}),
        (
            "kernels",
            {
                "Column (fine pixel)",
                "True\nRow (fine pixel)",
                "Learned\nRow (fine pixel)",
                "Weight (unitless)",
            },
        ),
        (
            "abundances",
            {
                "Abundance (unitless)",
                "Share of abundances (log scale)",
                "|1 - sum of abundances| (unitless)",
            },
        ),
    ],
)
def test_axes_carry_units(name, expected):
    """Every axis names its quantity and its unit."""
    assert labels(drawn(name)) == expected


def test_a_grid_shows_values_and_what_is_missing():
    """Each cell holds its value, a missing one a dash on hatching, and then none is the best."""
    figure = drawn("grid")
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "30.00", (1, 0): "32.50", (0, 1): "31.25", (1, 1): "—"}
    (hatched,) = axes.patches
    assert hatched.get_xy() == (0.5, 0.5)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "10"]
    assert axes.images[0].get_clim() == (30, 32.5)
    assert "— not recorded" in shown(figure)
    assert "best" not in shown(figure)


def test_the_best_of_a_grid_may_be_the_lowest():
    """For an error the lowest value is framed."""
    values = {(0, 0): 0.0123, (1, 0): 0.0201, (2, 0): 0.004}
    figure = plot_grid(values, x=ALPHA, y=BETA, label="MRAE (unitless)", better="lower")
    frame = next(p for p in figure.axes[0].patches if not p.get_hatch())
    assert frame.get_xy() == (1.5, -0.5)
    assert {"best", "0.0123", "0.0040"} <= set(shown(figure))


def test_an_empty_grid_has_no_scale():
    """Before anything is recorded all cells are hatched, and there is no best and no bar."""
    figure = plot_grid({(0, 0): np.nan, (1, 0): np.nan}, x=ALPHA, y=BETA, label="mPSNR (dB)")
    assert len(figure.axes) == 1
    assert "best" not in shown(figure)
    assert [t.get_text() for t in figure.axes[0].texts] == ["—", "—"]


def test_variants_show_every_seed_and_their_mean():
    """Rows come in the order given; beside each stands its mean, with the spread over seeds."""
    groups = {"full": seeds(30, 31, 32), "without-z_b": seeds(20), "to come": []}
    figure = plot_variants(groups, ("mPSNR", "mSAM"))
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == list(groups)
    assert left.get_ylim() == right.get_ylim() == (2.5, -0.5)
    dots = [line for line in left.lines if line.get_marker() == "o"]
    means = [line for line in left.lines if line.get_marker() == "|"]
    assert [line.get_xdata().tolist() for line in dots] == [[30, 31, 32], [20]]
    assert [line.get_xdata()[0] for line in means] == [31, 20]
    texts = [text.get_text() for text in left.texts]
    assert texts == ["31.00 ± 1.00", "20.00", "not recorded", "—"]


def test_variants_may_all_be_unrecorded():
    """A chapter can be built before its study has run."""
    figure = plot_variants({"full": [], "without-y": []}, ("mPSNR",))
    assert [t.get_text() for t in figure.axes[0].texts] == ["not recorded", "—"] * 2
    assert len(figure.axes[0].get_xticks()) == 0


def test_a_record_without_the_metric_is_not_a_zero():
    """What a record does not hold is not recorded; a unit of one's own can be given."""
    groups = {"a": [record(), record(seed=1)]}
    figure = plot_variants(groups, ("PSF correlation",), units={"PSF correlation": ""})
    assert [t.get_text() for t in figure.axes[0].texts] == ["not recorded", "—"]
    assert figure.axes[0].get_xlabel() == "PSF correlation (unitless)"


def test_convergence_has_a_line_per_variant():
    """Decibels stand on a linear axis, losses on a log axis; iterations on either."""
    groups = {"clamp": trained(), "softmax": trained((10, 11, 12))}
    axes = plot_convergence(groups).axes[0]
    assert [line.get_label() for line in axes.lines] == ["clamp", "softmax"]
    assert axes.lines[1].get_ydata().tolist() == [10, 11, 12]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    axes = plot_convergence(groups, "z_b", log_x=True).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "Iteration (log scale)"
    assert axes.get_ylabel() == "Loss z_b (unitless, log scale)"
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, False, True]


def test_means_and_ranges_over_seeds():
    """A point is the mean of its seeds, its bar runs from the least to the largest of them."""
    figure = drawn("against")
    assert len(figure.axes) == 2
    (line, _, (bars,)), *_ = figure.axes[0].containers
    assert line.get_xdata().tolist() == [5, 10, 30]
    np.testing.assert_array_equal(line.get_ydata(), [21, np.nan, 33])
    ends = [segment[:, 1] for segment in bars.get_segments() if len(segment)]
    np.testing.assert_array_equal(ends, [[20, 22], [30, 36]])
    assert {"planted", "houston"} <= set(shown(figure))


def test_a_scene_without_records_is_named_as_such():
    """An empty line is in the legend, with the reason why it is not in the picture."""
    figure = plot_against({"planted": {5.0: seeds(20)}, "houston": {5.0: []}})
    assert "houston (not recorded)" in shown(figure)


def test_kernels_of_a_column_share_one_scale():
    """True above learned; wide kernels are flatter and have a scale of their own."""
    figure = drawn("kernels")
    images = [axes.images[0] for axes in figure.axes if axes.get_title() or axes.images]
    panels = [image for image in images if image.get_array().shape == (4, 4)]
    assert len(panels) == 4
    for true, found, sigma in zip(panels[:2], panels[2:], (0.5, 2), strict=True):
        np.testing.assert_allclose(true.get_array(), kernel(sigma), atol=1e-6)
        np.testing.assert_allclose(found.get_array(), kernel(1.2 * sigma), atol=1e-6)
        assert true.get_clim() == found.get_clim()
    assert panels[0].get_clim() != panels[1].get_clim()
    correlation = np.corrcoef(kernel(0.5).flat, kernel(0.6).flat)[0, 1]
    assert figure.axes[0].get_title() == f"sigma=0.5\ncorrelation {correlation:.3f}"


def test_kernels_of_several_scenes_are_named():
    """Where scenes differ, the title says which one a column is of."""
    figure = plot_kernels([learned(1.0), learned(1.0, scene="houston-2018-crop")])
    assert figure.axes[1].get_title().startswith("houston-2018-crop\nsigma=1\n")


def test_abundances_are_shares_over_zero_to_one():
    """Three histograms on a log axis; an empty bin leaves a gap."""
    axes = drawn("abundances").axes[0]
    assert (axes.get_yscale(), axes.get_xlim()) == ("log", (0, 1))
    values, edges, _ = axes.patches[0].get_data()
    assert len(axes.patches) == 3
    assert np.flatnonzero(np.isnan(values)).tolist() == [7]
    np.testing.assert_allclose(edges, np.linspace(0, 1, 51))
    assert len({patch.get_linestyle() for patch in axes.patches}) == 3


def test_maps_of_sums_share_one_scale():
    """A level is 0.001; fine and coarse maps compare by colour, and titles give medians."""
    panels = [axes for axes in drawn("abundances").axes if axes.images][:3]
    values = [float(axes.images[0].get_array()[0, 0]) for axes in panels]
    np.testing.assert_allclose(values, [0.25, 0.5, 1.0])
    assert len({axes.images[0].get_clim() for axes in panels}) == 1
    assert [axes.get_title() for axes in panels] == [
        *("$A$, median 0.250", "$A_h^a$, median 0.500", "$A_h^b$, median 1.000")
    ]


def _without_images() -> Record:
    full = abundant()
    return Record(full.key, full.metrics, arrays=full.arrays)


def _odd_kernel() -> Record:
    return record(arrays={"true_psf": kernel(1.0), "psf": np.ones((5, 5))})


def _odd_curve() -> Record:
    return record(curves={"iteration": np.arange(3), "mPSNR": np.ones(2)})


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda: plot_grid({}, x="", y="", label=""), ParameterError, "no point of the grid"),
        (
            lambda: plot_grid(GRID, x="", y="", label="", better="higer"),
            ParameterError,
            "did you mean 'higher'",
        ),
        (lambda: plot_variants({}), ParameterError, "no variant to draw"),
        (lambda: plot_variants({"a": []}, ()), ParameterError, "no metric to draw"),
        (
            lambda: plot_variants({"a": []}, ("mPSRN",)),
            ParameterError,
            "unit of metric 'mPSRN' is not known.*did you mean 'mPSNR'.*units=",
        ),
        (lambda: plot_convergence({}), ParameterError, "no records to draw"),
        (
            lambda: plot_convergence({"clamp": record("clamp")}),
            ParameterError,
            "holds no curve 'mPSNR'.*missing +iteration, mPSNR.*--table fig-5.*--method clamp",
        ),
        (
            lambda: plot_convergence({"clamp": _odd_curve()}),
            ShapeError,
            "'mPSNR' of .* has 2 values for 3 iterations",
        ),
        (lambda: plot_against({}), ParameterError, "no line to draw"),
        (lambda: plot_against(SERIES, ("SAM",)), ParameterError, "unit of metric 'SAM'"),
        (lambda: plot_kernels([]), ParameterError, "no records to draw"),
        (lambda: plot_kernels([record()]), ParameterError, "holds no learned PSF.*--again"),
        (lambda: plot_kernels([_odd_kernel()]), ShapeError, r"\(5, 5\).*\(4, 4\)"),
        (lambda: plot_abundances(record()), ParameterError, "holds no histogram of abundances"),
        (
            lambda: plot_abundances(_without_images()),
            ParameterError,
            "holds no maps of abundances.*sum_error_a, sum_error_a_h_a.*--again",
        ),
        (lambda: plot_abundances(abundant(2)), ShapeError, r"\(2, 50\), not \(3, bins\)"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, error, text):
    """An error names the thing, what it lacks, and the command or setting that helps."""
    with pytest.raises(error, match=f"(?s){text}"):
        draw()
