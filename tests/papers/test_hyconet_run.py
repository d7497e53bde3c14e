"""One cell of HyCoNet's tables: from a scene to a record."""

from __future__ import annotations

import json
import warnings
from types import MappingProxyType

import numpy as np
import pytest
import scipy.io
import torch

from hsirepro.errors import (
    FormatError,
    ParameterError,
    PixelError,
    SceneNotFound,
    ShapeError,
    WavelengthError,
)
from hsirepro.metrics import evaluate
from hsirepro.optics import CropWarning, gaussian_kernel
from hsirepro.papers.hyconet import keys, prepare, run_cell, scene_label
from hsirepro.papers.hyconet.experiments import PROFILES, Profile
from hsirepro.papers.hyconet.recording import STEPS
from hsirepro.records import RecordStore, code_hash
from hsirepro.scenes import open_scene

NM = np.linspace(430.0, 860.0, 24)


@pytest.fixture
def brief(monkeypatch) -> int:
    """Shorten the smoke profile to a few iterations."""
    short = MappingProxyType({**PROFILES, "smoke": Profile(20, (0,), "a moment")})
    monkeypatch.setattr("hsirepro.papers.hyconet.run.PROFILES", short)
    return short["smoke"].iterations


@pytest.fixture
def own(tmp_path):
    """Return a function that stores a cube of one's own and returns the paths of both files."""

    def store(values, nm=NM, name="mine.npy"):
        np.save(tmp_path / name, np.asarray(values, dtype=np.float32))
        np.savetxt(tmp_path / "nm.txt", nm)
        return {"scene": str(tmp_path / name), "wavelengths": str(tmp_path / "nm.txt")}

    return store


def values(height: int = 16, width: int = 20, bands: int = 24) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, bands)) + 0.1


def test_prepared_scene_is_scaled_and_degraded(own):
    """Pixels run from 0 to 1, offsets below zero are cut, and the pair comes from the optics."""
    cube = 700 * values() - 100
    ready = prepare(**own(cube), sigma=0.5, table="II")
    truth = ready.pair.truth
    expected = np.clip(cube, 0, None) / cube.max()
    np.testing.assert_allclose(truth.values, expected, rtol=1e-5, atol=1e-6)
    assert float(truth.max()) == 1.0
    assert truth.attrs["units"] == "fraction of maximum"
    assert ready.pair.ratio == 4
    assert ready.pair.srf.names == ("blue", "green", "red")
    assert ready.pair.hsi.shape == (4, 5, 24)
    np.testing.assert_array_equal(ready.pair.psf.kernel, gaussian_kernel(4, 0.5))
    assert prepare(**own(cube), sigma=0.5, table="II", ratio=2).pair.hsi.shape == (8, 10, 24)


def test_centre_crop_is_said_aloud(own):
    """An image not divisible by the ratio loses its border, and a warning says how much."""
    with pytest.warns(CropWarning) as caught:
        ready = prepare(**own(values(19, 22)), sigma=0.5, table="II")
    assert ready.pair.truth.shape == (16, 20, 24)
    (warning,) = (w for w in caught if w.category is CropWarning)
    text = str(warning.message)
    assert "19 x 22 pixels are not divisible by ratio 4" in text
    assert "central 16 x 20, from row 1, column 1" in text


def test_scene_without_wavelengths_is_refused(own):
    """MSI bands cannot be simulated on bands without wavelengths: none are guessed."""
    given = {**own(values()), "wavelengths": ""}
    with pytest.raises(WavelengthError) as caught:
        prepare(**given, sigma=0.5, table="II")
    text = str(caught.value)
    assert "simulating Landsat 8 OLI bands needs wavelengths, and this cube has none." in text
    assert "open_scene(..., wavelengths=[...])" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_pixels_are_refused(own, value):
    """NaN and infinite pixels are named with place and number."""
    cube = values()
    cube[3, 5, 7] = cube[4, 5, 7] = value
    with pytest.raises(PixelError) as caught:
        prepare(**own(cube), sigma=0.5, table="II")
    text = str(caught.value)
    assert "2 of 320 pixels hold NaN or infinite values." in text
    assert "row 3, column 5, band 7" in text
    assert "-p part" in text


@pytest.mark.parametrize(
    ("table", "limits", "band"), [("II", (430, 600), "red"), ("III", (430, 860), "swir1")]
)
def test_scene_that_does_not_reach_a_band_is_refused(own, table, limits, band):
    """A cube with fewer bands than the response needs is told which band, and what it covers."""
    with pytest.raises(WavelengthError) as caught:
        prepare(**own(values(), np.linspace(*limits, 24)), sigma=0.5, table=table)
    assert f"'{band}'" in str(caught.value)
    assert f"{limits[1]}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"ratio": -4}, ParameterError, "ratio=-4 has to be at least 2"),
        ({"ratio": 32}, ShapeError, "smaller than one low-resolution pixel at ratio 32"),
        ({"sigma": "0.5"}, ParameterError, "sigma='0.5' is not a number (str)"),
        ({"sigma": 0.0}, ParameterError, "sigma=0 has to be a finite number above 0"),
        ({"scene": "planed"}, SceneNotFound, "did you mean 'planted'?"),
    ],
)
def test_impossible_degradations_are_named(own, change, error, text):
    """What the tables cannot be made of is refused with the parameter that is wrong."""
    with pytest.raises(error) as caught:
        prepare(**{**own(values()), "sigma": 0.5, "table": "II", **change})
    assert text in str(caught.value)


def test_broken_files_are_named(tmp_path):
    """A .mat that breaks off and a header without its data stop with the file's name."""
    mat = tmp_path / "torn.mat"
    scipy.io.savemat(mat, {"img": values()})
    mat.write_bytes(mat.read_bytes()[:5000])
    with pytest.raises(FormatError, match=r"torn\.mat"):
        prepare(str(mat), 0.5, table="II")
    header = tmp_path / "alone.hdr"
    size = "samples = 20\nlines = 16\nbands = 24\ninterleave = bsq"
    header.write_text(f"ENVI\n{size}\nbyte order = 0\ndata type = 4\n")
    with pytest.raises(FormatError, match=r"'alone\.hdr' has no data file"):
        prepare(str(header), 0.5, table="II")
    header.with_suffix(".img").write_bytes(b"\0" * 100)
    with pytest.raises(FormatError, match=r"30720|30,720|30 720"):
        prepare(str(header), 0.5, table="II")


def test_own_scene_goes_by_name_and_hash(own, tmp_path):
    """No path gets into a record, and two files of one name are two scenes."""
    first = own(values())
    label = scene_label(first["scene"], prepare(**first, sigma=0.5, table="II"))
    assert label.startswith("mine-")
    assert str(tmp_path) not in label
    second = own(2 * values())
    assert label != scene_label(second["scene"], prepare(**second, sigma=0.5, table="II"))
    planted = prepare("planted", 0.5, table="II")
    assert scene_label("planted", planted) == "planted"
    cut = prepare("planted", 0.5, table="II", part="0:16,8:32")
    assert cut.pair.truth.shape[:2] == (16, 24)
    assert scene_label("planted", cut).startswith("planted-")


def test_two_readings_of_one_file_are_two_scenes(tmp_path):
    """Another variable, or other wavelengths, never show the records of the first."""
    file = tmp_path / "two.mat"
    scipy.io.savemat(file, {"a": values(), "b": 1 - values() / 2})
    labels = set()
    for key, last in (("a", 860.0), ("b", 860.0), ("a", 850.0)):
        np.savetxt(tmp_path / "nm.txt", np.linspace(430.0, last, 24))
        given = {"scene": str(file), "key": key, "wavelengths": str(tmp_path / "nm.txt")}
        labels.add(scene_label(str(file), prepare(**given, sigma=0.5, table="II")))
    assert len(labels) == 3


def test_what_was_done_to_a_scene_is_said(own):
    """Bands without signal go before any work, and negative pixels become 0, aloud."""
    cube = values()
    cube[:, :, 23] = 0.0
    cube[:4] = -0.5
    ready = prepare(**own(cube), sigma=0.5, table="II")
    assert ready.pair.truth.shape == (16, 20, 23)
    assert ready.notes == (
        "scene: bands left out because no pixel is above 0: 1.",
        "scene: 25 % of its values are negative, and became 0.",
    )
    with pytest.raises(PixelError, match=r"(?s)no pixel above 0.*scale factor"):
        prepare(**own(-np.abs(cube)), sigma=0.5, table="II")


def test_a_device_that_is_not_here_is_named_before_work():
    """Also for methods that train nothing: the record would name it."""
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    (key,) = keys("II", "planted", 0.5, "smoke", ["gsa"], [0])
    with pytest.raises(ParameterError, match=r"(?s)no GPU is visible.*device='cpu'"):
        run_cell(key, device="cuda")


REAL = {  # scene: (table, truth, HSI, first and last nm)
    "houston-2018-crop": ("V", (128, 128, 46), (16, 16, 46), (403.1, 1047.1)),
    "pavia-centre-crop": ("II", (100, 100, 102), (25, 25, 102), (430.0, 860.0)),
    "pavia-university-crop": ("II", (48, 48, 103), (12, 12, 103), (430.0, 860.0)),
    "aviris-vi-demo": ("III", (88, 88, 181), (22, 22, 181), (385.25, 2466.45)),
    "jasper-ridge": ("III", (100, 100, 198), (25, 25, 198), (399.37, 2457.24)),
}


@pytest.mark.parametrize("scene", REAL)
def test_real_crops_make_pairs(data_dir, scene):
    """Every stand-in becomes a pair with the ratio, bands and wavelengths of its table."""
    table, truth, hsi, limits = REAL[scene]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CropWarning)
        pair = prepare(scene, 0.5, table=table).pair
    assert pair.truth.shape == truth
    assert pair.hsi.shape == hsi
    assert pair.msi.shape == (*truth[:2], 6 if table == "III" else 3)
    assert (float(pair.truth.wavelength.min()), float(pair.truth.wavelength.max())) == limits
    assert float(pair.truth.max()) == 1.0
    assert float(pair.truth.min()) >= 0.0
    for cube in (pair.hsi, pair.msi):
        assert np.isfinite(cube.values).all()


def test_record_of_hyconet_holds_what_the_chapters_show(brief, tmp_path):
    """Metrics, curves, learned and true optics, pictures in whole numbers, and where it is from."""
    (key,) = keys("II", "planted", 0.5, "smoke", ["hyconet"])
    record = run_cell(key)
    assert record.key == key
    assert set(record.metrics) == {
        "mPSNR", "mSAM", "ERGAS", "RMSE", "MRAE", "PSF correlation", "mSAM as released"
    }  # fmt: skip
    assert all(np.isfinite(value) for value in record.metrics.values())
    cube = open_scene("planted")
    bands = cube.sizes["wavelength"]
    shapes = {name: array.shape for name, array in record.arrays.items()}
    expected = {
        "psf": (4, 4),
        "true_psf": (4, 4),
        "srf": (3, bands),
        "true_srf": (3, bands),
        "wavelength": (bands,),
        "endmembers": (bands, 100),
    }
    assert {name: shapes[name] for name in expected} == expected
    np.testing.assert_allclose(record.arrays["true_psf"], gaussian_kernel(4, 0.5))
    correlation = np.corrcoef(record.arrays["psf"].ravel(), record.arrays["true_psf"].ravel())
    assert record.metrics["PSF correlation"] == pytest.approx(correlation[0, 1], abs=1e-6)
    # The last score on the way is that of the answer.
    for name in ("mPSNR", "ERGAS"):
        assert record.curves[name][-1] == pytest.approx(record.metrics[name], rel=1e-4)
    by_band = record.arrays["psnr_by_band"]
    assert by_band.mean() == pytest.approx(record.metrics["mPSNR"], rel=1e-5)
    relative = record.images["mrae"] * STEPS["mrae"]
    assert relative.mean() == pytest.approx(record.metrics["MRAE"], rel=0.01)
    assert record.images["sum_error_a"].shape == cube.shape[:2]
    colour, angles = record.images["false_colour"], record.images["sam_centidegrees"]
    assert (colour.dtype, colour.shape) == (np.uint8, (*cube.shape[:2], 3))
    assert (angles.dtype, angles.shape) == (np.uint16, cube.shape[:2])
    assert angles.mean() / 100 == pytest.approx(record.metrics["mSAM"], abs=0.01)
    assert record.curves["iteration"].tolist() == [brief]
    assert record.settings["iterations"] == brief
    assert record.settings["ratio"] == 4
    assert record.settings["msi_bands"] == ["blue", "green", "red"]
    assert record.provenance["data_sha256"] == cube.attrs["sha256"]
    assert record.provenance["code_hash"] == code_hash()
    assert record.provenance["seed"] == 0
    assert record.provenance["wall_time_s"] > 0
    json.dumps([record.settings, record.provenance])
    store = RecordStore(tmp_path)
    assert store.read(store.write(record)) == record


def test_record_of_a_closed_form_has_no_learned_optics():
    """Methods without training have metrics and pictures, and do not claim a PSF."""
    (key,) = keys("II", "planted", 1.0, "smoke", ["gsa"])
    ready = prepare("planted", 1.0, table="II")
    record = run_cell(key, ready)
    assert "PSF correlation" not in record.metrics
    assert "psf" not in record.arrays
    assert record.curves == {}
    assert record.settings["regress_bands"] is True
    bicubic = run_cell(keys("II", "planted", 1.0, "smoke", ["bicubic"])[0], ready)
    assert record.metrics["mPSNR"] > bicubic.metrics["mPSNR"]
    again = run_cell(key, ready)
    assert again.metrics == record.metrics


def test_cell_is_degraded_as_its_condition_says():
    """The width and ratio of the condition decide the pair, not the table's alone."""
    cells = [
        *keys("II", "planted", 0.5, "smoke", ["bicubic"]),
        *keys("II", "planted", 2.0, "smoke", ["bicubic"]),
        *keys("II", "planted", 0.5, "smoke", ["bicubic"], ratio=8),
    ]
    records = [run_cell(cell) for cell in cells]
    assert [r.settings["ratio"] for r in records] == [4, 4, 8]
    np.testing.assert_allclose(records[1].arrays["true_psf"], gaussian_kernel(4, 2.0))
    assert len({r.metrics["mPSNR"] for r in records}) == 3
    assert records[2].metrics["mPSNR"] < records[0].metrics["mPSNR"]


def test_metrics_of_a_record_are_those_of_its_cube():
    """A number in a table can be computed again from the scene and the method."""
    from hsirepro.fusion import fuse

    ready = prepare("planted", 0.5, table="II")
    pair = ready.pair
    record = run_cell(keys("II", "planted", 0.5, "smoke", ["sfim-hs"])[0], ready)
    cube = fuse("sfim-hs", pair.hsi, pair.msi, ratio=4, scale=1.0).cube
    assert evaluate(cube, pair.truth, "hyconet", ratio=4).items() <= record.metrics.items()


def test_released_angle_compares_rows_of_bands():
    """The released code turns the axes: its "spectral" angle is one between image rows."""
    ready = prepare("planted", 0.5, table="II")
    pair = ready.pair
    record = run_cell(keys("II", "planted", 0.5, "smoke", ["bicubic"])[0], ready)
    from hsirepro.fusion import fuse

    found = fuse("bicubic", pair.hsi, pair.msi, ratio=4, scale=1.0).cube.values.astype(float)
    truth = pair.truth.values.astype(float)
    cosine = np.einsum("yxb,yxb->yb", found, truth)
    cosine /= np.linalg.norm(found, axis=1) * np.linalg.norm(truth, axis=1)
    expected = np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()
    assert record.metrics["mSAM as released"] == pytest.approx(expected, rel=1e-6)
    assert abs(expected - record.metrics["mSAM"]) > 0.5


def test_pictures_are_kept_where_a_figure_shows_them():
    """Other seeds and widths keep their numbers only, unless pictures are asked for."""
    (shown,) = keys("II", "planted", 0.5, "smoke", ["bicubic"], [0])
    (other,) = keys("II", "planted", 1.0, "smoke", ["bicubic"], [0])
    assert set(run_cell(shown).images) == {
        "false_colour",
        "sam_centidegrees",
        "rmse_colour",
        "mrae",
    }
    assert not run_cell(other).images
    assert run_cell(other, pictures=True).images


def test_short_runs_keep_the_shape_of_the_schedule(brief):
    """A profile shortens the run and its constant part alike."""
    (key,) = keys("II", "planted", 0.5, "smoke", ["hyconet-2021"])
    record = run_cell(key)
    assert record.settings["iterations"] == brief
    assert record.settings["hold"] == round(2000 / 10_000 * brief)
    assert record.settings["preset"] == "release-2021"


def test_cut_off_cell_goes_on_from_its_checkpoint(brief, tmp_path):
    """The checkpoint of a finished training answers without training again."""
    (key,) = keys("II", "planted", 0.5, "smoke", ["hyconet"])
    checkpoint = tmp_path / "cell.ckpt"
    first = run_cell(key, checkpoint=checkpoint)
    assert checkpoint.exists()
    second = run_cell(key, checkpoint=checkpoint)
    assert second.metrics == first.metrics
    assert second.curves["loss"].tolist() == first.curves["loss"].tolist()


def test_the_seed_of_the_key_reaches_the_method(monkeypatch):
    """The seed of the cell, and the optics of the pair, are what the method is given."""
    import hsirepro.papers.hyconet.run as module

    seen, fuse = [], module.fuse

    def noting(*args, **options):
        seen.append((options["seed"], options["psf"], options["srf"]))
        return fuse("bicubic", *args[1:], ratio=options["ratio"], scale=1.0)

    monkeypatch.setattr(module, "fuse", noting)
    ready = prepare("planted", 0.5, table="II")
    for key in keys("II", "planted", 0.5, "paper", ["cnmf"], [0, 1, 2]):
        run_cell(key, ready)
    assert [seed for seed, *_ in seen] == [0, 1, 2]
    assert all(psf is ready.pair.psf and srf is ready.pair.srf for _, psf, srf in seen)


def test_time_of_a_record_counts_earlier_legs(monkeypatch):
    """A run that was broken off and resumed has taken the time of all its legs."""
    from dataclasses import replace

    import hsirepro.papers.hyconet.run as module

    fuse = module.fuse
    monkeypatch.setattr(module, "fuse", lambda *a, **k: replace(fuse(*a, **k), earlier_s=3600.0))
    (key,) = keys("II", "planted", 0.5, "smoke", ["bicubic"])
    record = run_cell(key, prepare("planted", 0.5, table="II"))
    assert 3600.0 < record.provenance["wall_time_s"] < 3660.0


def test_the_map_of_colours_is_of_the_bands_shown():
    """The first error map is of the three bands of the false colour, not of all."""
    from hsirepro.fusion import fuse
    from hsirepro.metrics import rmse_map
    from hsirepro.papers.hyconet import prepare, run_cell
    from hsirepro.papers.hyconet.recording import STEPS
    from hsirepro.report.colour import colour_bands

    ready = prepare("planted", 0.5, table="II")
    pair = ready.pair
    (key,) = keys("II", "planted", 0.5, "smoke", ["bicubic"])
    shown = run_cell(key, ready).images["rmse_colour"] * STEPS["rmse"]
    bands = list(colour_bands(pair.truth))
    cube = fuse("bicubic", pair.hsi, pair.msi, ratio=4, scale=1.0).cube
    expected = rmse_map(cube.values[:, :, bands], pair.truth.values[:, :, bands])
    np.testing.assert_allclose(shown, expected, atol=0.51 * STEPS["rmse"])


def test_thinned_curves_keep_both_ends():
    """A curve loses points in between, and never its end."""
    from hsirepro.papers.hyconet.recording import POINTS, _thinned

    long = np.arange(1001.0)
    thin = _thinned(long)
    assert (len(thin), thin[0], thin[-1]) == (POINTS, 0.0, 1000.0)
    np.testing.assert_array_equal(_thinned(long[:7]), long[:7])
