"""Error maps of many methods can be compared, and accuracy by band says where the MSI helps."""

from __future__ import annotations

import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.papers.hyconet import recording
from hsirepro.records import Record, RecordKey
from hsirepro.report import plot_error_maps, plot_psnr_by_band
from hsirepro.report.bands import covered
from hsirepro.report.errormaps import MAPS
from hsirepro.report.learned import SUM_LEVEL
from hsirepro.report.style import WIDTH, line_look

NM = np.array([400.0, 410, 420, 430, 440, 700, 710, 720])  # nothing between 440 and 700
SRF = np.array([[0, 1, 0.5, 0.001, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 2.0]])
THIRTEEN = [f"method-{i}" for i in range(13)]


def record(
    method: str = "gsa",
    scene: str = "planted",
    *,
    size: tuple[int, int] = (9, 7),
    worst: int = 100,
    seed: int = 0,
    psnr: np.ndarray | None = None,
    profile: str = "smoke",
) -> Record:
    """Return a record whose maps rise from 0 to ``worst`` grey levels."""
    key = RecordKey("hyconet", "II", scene, "sigma=0.5", method, profile, seed)
    levels = np.linspace(0, worst, math.prod(size)).reshape(size).astype(np.uint16)
    images = dict.fromkeys(("rmse_colour", "mrae", "sam_centidegrees"), levels)
    images |= {"false_colour": np.full((*size, 3), 80, np.uint8)}
    bands = np.linspace(30, 40, len(NM)) if psnr is None else psnr
    arrays = {"psnr_by_band": bands, "wavelength": NM, "true_srf": SRF}
    return Record(key, {"mPSNR": 31.0}, arrays=arrays, images=images)


def columns(figure: mpl.figure.Figure, title: str) -> list[mpl.axes.Axes]:
    """Return the columns of a figure that show one quantity, a block each."""
    return [axes for axes in figure.axes if axes.images and axes.get_title() == title]


def maps(figure: mpl.figure.Figure) -> list[mpl.image.AxesImage]:
    return [axes.images[0] for one in MAPS for axes in columns(figure, one.title)]


def shown(figure: mpl.figure.Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text()]


@pytest.fixture(scope="module")
def figures() -> dict[int, mpl.figure.Figure]:
    """Error maps of 1, 5 and 12 methods, to be looked at."""
    return {n: plot_error_maps([record(name) for name in THIRTEEN[:n]]) for n in (1, 5, 12)}


@pytest.mark.parametrize("methods", [1, 5, 12])
def test_every_method_gets_its_image_and_three_maps(figures, methods):
    """However many methods there are, none is left out, and the figure stays on its page."""
    figure = figures[methods]
    texts = {
        title: [text.get_text() for axes in columns(figure, title) for text in axes.texts]
        for title in ("False colour", *(one.title for one in MAPS))
    }
    assert texts.pop("False colour") == THIRTEEN[:methods]
    assert [len(means) for means in texts.values()] == [methods] * 3
    assert figure.get_figwidth() == WIDTH
    assert figure.get_figheight() < 1.4 * WIDTH


def test_pictures_are_pasted_whole_and_in_their_order():
    """A column holds every pixel of its maps, one method below the other, and nothing between."""
    records = [record("a", size=(64, 70), worst=500), record("b", size=(64, 70), worst=100)]
    (image,) = (axes.images[0] for axes in columns(plot_error_maps(records), "MRAE"))
    pasted = image.get_array().filled(np.nan)
    kept = pasted[~np.isnan(pasted)].reshape(2, 64, 70)
    expected = [one.images["mrae"] * 1e-3 for one in records]
    np.testing.assert_allclose(kept, expected)
    gap = len(pasted) // 2 - 64
    assert gap > 0
    assert np.isnan(pasted[[*range(gap), *range(gap + 64, 2 * gap + 64)]]).all()


def test_tiles_have_the_proportions_of_the_scene(figures):
    """A pixel is as tall as it is wide, on paper."""
    figure = figures[5]
    for image in maps(figure):
        rows, across = image.get_array().shape
        box = image.axes.get_position()
        height = box.height * figure.get_figheight() / rows
        assert height == pytest.approx(box.width * WIDTH / across)


@pytest.mark.parametrize("draw", [plot_error_maps, plot_psnr_by_band])
def test_a_shorter_run_is_named(draw):
    """A quick run may stand beside the paper's, but its profile is written to it."""
    records = [record(name, profile="paper") for name in ("a", "b")]
    figure = draw([*records, record("c", profile="quick")])
    assert {"a", "b", "c (quick)"} <= set(shown(figure))


def test_a_map_has_one_scale_for_all_methods():
    """Colours compare methods, so blocks share their limits; other columns have their own."""
    worst = (10, 20, 30, 40, 1000)
    figure = plot_error_maps([record(str(one), worst=one) for one in worst])
    limits = [image.get_clim() for image in maps(figure)]
    assert limits[::2] == limits[1::2]
    end = np.percentile(record(worst=30).images["mrae"], 98)
    np.testing.assert_allclose(limits[::2], [(0, end * level) for level in (1e-4, 1e-3, 0.01)])


def test_a_method_that_fails_does_not_stretch_the_scale():
    """However wrong one of many is, the scale stays; how much lies above it is said."""
    good = [record(name) for name in THIRTEEN[:4]]
    bad, worse = (plot_error_maps([*good, record("bad", worst=w)]) for w in (1000, 60_000))
    assert [i.get_clim() for i in maps(bad)] == [i.get_clim() for i in maps(worse)]
    levels = np.concatenate([record(worst=w).images["mrae"].ravel() for w in (*[100] * 4, 1000)])
    above = 100 * (levels > np.percentile(record().images["mrae"], 98)).mean()
    labels = [axes.get_xlabel() for axes in bad.axes if axes.get_xlabel()]
    assert all(f"{above:.1f} % of all pixels lie above" in label for label in labels)
    (note,) = (text.get_text() for text in bad.texts)
    assert "98th percentiles" in note
    assert "larger values have its last colour" in note


def test_levels_become_quantities():
    """100 levels are 0.01 of the maximum, a relative error of 0.1, and 1 degree."""
    one = record(worst=100)
    mean = one.images["mrae"].mean()
    texts = shown(plot_error_maps([one]))
    assert f"mean {mean * 1e-4:.4f}" in texts
    assert f"mean {mean * 1e-3:.3f}" in texts
    assert f"mean {mean * 0.01:.2f}°" in texts


def test_levels_are_read_as_they_are_written():
    """What a level stands for is the same here and where the paper's runs are recorded."""
    written = {recording.MAPS[name]: step for name, step in recording.STEPS.items()}
    assert {one.picture: one.level for one in MAPS} == written
    assert recording.STEPS["mrae"] == SUM_LEVEL


def test_colour_bars_carry_units(figures):
    """For every quantity there is one scale with its unit."""
    bars = [axes.get_xlabel().split("\n")[0] for axes in figures[5].axes if axes.get_xlabel()]
    assert bars == [
        "RMSE of colours (share of scene maximum)",
        "MRAE (relative error, unitless)",
        "SAM (spectral angle, degrees)",
    ]


def test_long_names_keep_to_their_column():
    """The name of a method ends before the numbers beside it begin, even if it says much."""
    longest = [record("hyconet", seed=seed, profile="quick") for seed in (0, 1)]
    figure = plot_error_maps([*(record(name) for name in THIRTEEN[:10]), *longest])
    left, right = columns(figure, "False colour")
    beside = columns(figure, "RMSE of colours")[1]
    name = right.texts[-1]
    assert name.get_text() == "hyconet, seed 1 (quick)"
    assert name.get_window_extent().x1 <= beside.get_window_extent().x0
    assert len({text.get_fontsize() for text in left.texts}) == 1


def test_no_word_is_cut_off(figures):
    """All text stays on the page."""
    for figure in figures.values():
        page = figure.get_tightbbox()
        assert min(page.x0, page.y0) >= 0
        assert page.x1 <= figure.get_figwidth()
        assert page.y1 <= figure.get_figheight()


def test_methods_go_by_the_names_given():
    """The paper's name where it has one, ours where not; two seeds of a method are told apart."""
    records = [record("gsa"), record("bicubic"), record("hyconet"), record("hyconet", seed=1)]
    texts = shown(plot_error_maps(records, {"gsa": "GSA", "bicubic": None}))
    assert {"GSA", "bicubic", "hyconet, seed 0", "hyconet, seed 1"} <= set(texts)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 5)])
def test_odd_scenes_are_drawn(size):
    """A scene may be one pixel, one row or one column, and free of errors."""
    figure = plot_error_maps([record(size=size, worst=0)])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert all(image.get_clim()[1] > 0 for image in maps(figure))


def test_psnr_is_drawn_over_wavelength_with_gaps():
    """Bands that are missing or have no finite PSNR break the line; axes are in nm and dB."""
    psnr = np.linspace(30, 37, len(NM))
    psnr[2] = np.nan
    axes = plot_psnr_by_band([record(psnr=psnr)]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Wavelength (nm)", "PSNR (dB)")
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(x, [400, 410, 420, 430, 440, 570, 700, 710, 720])
    assert np.flatnonzero(np.isnan(y)).tolist() == [2, 5]


def test_one_method_is_highlighted_where_it_is_named():
    """One line is black and thick, or none; the legend names all methods and the shading."""
    records = [record(name) for name in THIRTEEN]
    for highlight, place in ((None, None), ("method-3", 3)):
        axes = plot_psnr_by_band(records, highlight=highlight).axes[0]
        black = [line.get_color() == "black" for line in axes.lines]
        assert black == [i == place for i in range(13)]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [*THIRTEEN, "seen by the MSI"]


def test_a_method_that_fails_leaves_the_axis():
    """Bands far below all others do not squeeze the lines together; a note names the method."""
    good, deep = np.linspace(30, 37, len(NM)), np.linspace(30, 37, len(NM))
    deep[2] = -40.0
    axes = plot_psnr_by_band([record("gsa", psnr=good)] * 8 + [record("sfim-hs", psnr=deep)]).axes[
        0
    ]
    assert 20 < axes.get_ylim()[0] < 30
    assert [text.get_text() for text in axes.texts] == ["below the axis, down to -40 dB: sfim-hs"]
    whole = plot_psnr_by_band([record(psnr=good)]).axes[0]
    assert not whole.texts


def test_lines_differ_without_colour():
    """Of 13 lines no two share colour, dashes and marker; those of one colour share neither."""
    looks = [tuple(line_look(i)[k] for k in ("color", "linestyle", "marker")) for i in range(28)]
    assert len(set(looks)) == 28
    for i, one in enumerate(looks):
        for other in looks[i + 1 : 13]:
            assert one[0] != other[0] or (one[1] != other[1] and one[2] != other[2])


def test_the_reach_of_the_msi_is_shaded():
    """Half a band around what any MSI band sees, in order of wavelength, not across a hole."""
    assert covered(NM, SRF) == [(405.0, 425.0), (715.0, 725.0)]
    turned = np.argsort(-NM)
    assert covered(NM[turned], SRF[:, turned]) == covered(NM, SRF)
    assert covered(NM, np.ones((1, len(NM)))) == [(395.0, 445.0), (695.0, 725.0)]
    assert covered(NM, np.zeros((2, len(NM)))) == []
    assert covered(np.array([500.0]), np.ones((1, 1))) == [(500.0, 500.0)]
    axes = plot_psnr_by_band([record()]).axes[0]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
    np.testing.assert_allclose(spans, covered(NM, SRF))


@pytest.mark.parametrize("draw", [plot_error_maps, plot_psnr_by_band])
def test_drawing_repeats_and_leaves_pyplot_alone(draw):
    """The same records give the same bytes, and the reader's settings stay."""
    records = [record("gsa"), record("hyconet")]
    first = draw(records)._repr_png_()
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red", "savefig.facecolor": "red"}):
        second = draw(records)._repr_png_()
        assert mpl.rcParams["font.size"] == 31
    assert second == first
    assert plt.get_fignums() == []


@pytest.mark.parametrize("draw", [plot_error_maps, plot_psnr_by_band])
def test_methods_are_compared_on_one_scene(draw):
    """Nothing to draw, and two scenes in one figure, are refused."""
    with pytest.raises(ParameterError, match="no records to draw"):
        draw([])
    with pytest.raises(ParameterError, match=r"(?s)these are 2\..*houston.*planted"):
        draw([record(), record(scene="houston-2018-crop")])


def test_pictures_of_two_sizes_are_refused():
    """Crops of different sizes show different ground."""
    with pytest.raises(ShapeError, match=r"(?s)one size.*9 x 7 pixels; 10 x 7 pixels"):
        plot_error_maps([record(), record("b", size=(10, 7))])


def test_a_record_without_maps_says_how_to_get_them():
    """The error names the record, what it lacks, and the whole command."""
    full = record()
    bare = Record(full.key, full.metrics, images={"mrae": full.images["mrae"]})
    command = (
        "hsirepro run hyconet --table II --scene planted --condition sigma=0.5 --method gsa "
        "--profile smoke --seed 0 --again"
    )
    with pytest.raises(ParameterError, match="holds no pictures") as error:
        plot_error_maps([full, bare])
    assert "false_colour, rmse_colour, sam_centidegrees" in str(error.value)
    assert f"{command} --pictures" in str(error.value)
    with pytest.raises(ParameterError, match=r"(?s)holds no PSNR by band.*wavelength") as error:
        plot_psnr_by_band([full, bare])
    assert command in str(error.value)


def test_a_method_to_highlight_has_to_be_there():
    """A slip in the name is answered with the nearest."""
    with pytest.raises(ParameterError, match=r"(?s)'hyconnet'.*did you mean 'hyconet'"):
        plot_psnr_by_band([record("hyconet")], highlight="hyconnet")


def test_a_psnr_per_band_is_needed():
    """Arrays of other lengths are named with their shapes."""
    with pytest.raises(ShapeError, match=r"(?s)one PSNR per band.*\(3,\).*\(8,\)"):
        plot_psnr_by_band([record(psnr=np.ones(3))])


def test_a_weak_msi_band_is_shaded_too():
    """Each MSI band is measured by its own peak."""
    from hsirepro.report.bands import covered

    nm = np.array([400.0, 410.0, 420.0, 430.0, 440.0])
    assert covered(nm, np.array([[0, 0.005, 0, 0, 0], [0, 0, 0, 1.0, 0]])) == [
        (405.0, 415.0),
        (425.0, 435.0),
    ]
