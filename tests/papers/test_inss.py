"""INSS's tables as data, its images split by place, and a cell from start to record."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hsirepro.errors import FormatError, ParameterError, WavelengthError
from hsirepro.papers.inss import (
    ABLATIONS,
    METHODS_COMPARED,
    STAND_INS,
    asked,
    decided,
    keys,
    open_dataset,
    planned,
    run_cell,
    settings_of,
    trained,
)
from hsirepro.papers.inss.recording import (
    BEYOND,
    EXCHANGED,
    NOT_GIVEN,
    OWN_PEAK,
    mixing_scores,
    picked_pixels,
    scores_of,
)
from hsirepro.papers.inss.scenes import CROPS, SIDES, common_bands, pair_of
from hsirepro.papers.inss.spans import abundances, alternate
from hsirepro.papers.published import published
from hsirepro.records import Record, RecordStore, provenance
from hsirepro.recovery.inss_net import INSS
from hsirepro.scenes.cube import make_cube
from hsirepro.unmixing import fcls

FOLDER = Path(os.environ.get("HSIREPRO_DATA", "").split(os.pathsep)[0] or "nowhere")
needs_data = pytest.mark.skipif(
    not (FOLDER / "scenes" / "aviris").is_dir(), reason="HSIREPRO_DATA holds no AVIRIS crops"
)
PLACES = {
    "Los Angeles": {"airport-1", "airport-2", "airport-3", "urban-4", "urban-5"},
    "Texas coast": {"urban-1", "urban-2"},
}


# Tables


def test_rows_are_those_that_the_paper_prints():
    """Each published method of Table I and each experiment of Table II is a row."""
    rows = published("inss")
    printed = set(rows[rows.table == "I"].method)
    assert printed == {v.published for v in METHODS_COMPARED.values() if v.published}
    numbers = set(rows[rows.table == "II"].method)
    assert numbers == {v.published for v in ABLATIONS.values()}


def test_ablations_change_what_their_names_say():
    """Every one but INSS itself has a setting of its own."""
    seen = [tuple(sorted(v.settings.items())) for v in ABLATIONS.values()]
    assert len(set(seen)) == 12
    assert settings_of("II", "6-order-1", "paper") == {"preset": "paper", "order": 1}
    assert settings_of("I", "regression", "quick") == {}


def test_inss_is_trained_once():
    """As a row of Table II and of the starts it is the cell of Table I."""
    cells = planned("quick")
    assert len(cells) == len(set(cells))
    own = [key for key in cells if key.method == "inss"]
    assert {key.table for key in own} == {"I"}
    assert len(own) == 3 * len(STAND_INS)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: keys("planted", "quik"), "no profile 'quik'"),
        (lambda: keys("planted", "quick", table="IV"), "no table 'IV'"),
        (lambda: keys("planted", "quick", ["ins"]), "no method 'ins'"),
        (lambda: asked("", "planted", "sigma=1", "quick"), "no condition 'sigma=1'"),
        (lambda: open_dataset("abu-crop"), "no images 'abu-crop'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(call, text):
    """Before work starts."""
    with pytest.raises(ParameterError, match=text):
        call()


# Images


def test_no_place_is_on_two_sides():
    """Crops of one place can share pixels; two of Los Angeles do."""
    everything = [name for side in SIDES for name in CROPS[side]]
    assert len(everything) == len(set(everything)) == 12
    for crops in PLACES.values():
        sides = {s for s in SIDES for name in CROPS[s] if name.removeprefix("abu-") in crops}
        assert len(sides) == 1


def test_planted_images_share_materials_and_not_ground():
    """Four scenes, one library that has all their materials."""
    data = open_dataset("planted")
    images = [image for side in SIDES for image in data.sides[side].hsi]
    assert len(images) == 4
    assert not any(torch.equal(images[0], other) for other in images[1:])
    assert data.sides["train"].bands == data.library.sizes["wavelength"]


def test_bands_in_common_are_those_that_all_have():
    """In the order of the first; none is an error."""
    cubes = [make_cube(np.ones((2, 2, len(nm))), nm) for nm in ([500, 600, 700], [700, 500, 800])]
    assert common_bands(cubes).tolist() == [500, 700]
    with pytest.raises(WavelengthError, match="no band in common"):
        common_bands([cubes[0], make_cube(np.ones((2, 2, 1)), [900])])


def test_colours_are_bands_and_negative_counts_are_none():
    """685, 541 and 443 nm; -8 counts become 0."""
    cube = make_cube(np.array([[[-8.0, 819.0, 1638.0, 4095.0]]]), [443, 541, 685, 900])
    rgb, hsi = pair_of(cube, np.array([541.0, 900.0]), 4095.0)
    assert rgb.flatten().tolist() == pytest.approx([0.4, 0.2, 0.0])
    assert hsi.flatten().tolist() == pytest.approx([0.2, 1.0])


def test_a_folder_of_ones_own_needs_all_sides(tmp_path):
    """An empty side is named."""
    with pytest.raises(FormatError, match="train' holds no cube"):
        open_dataset(str(tmp_path))


@needs_data
def test_crops_have_common_bands_without_water():
    """179 bands of 224, none between 1347 and 1451 or 1801 and 1964 nm; counts in range."""
    data = open_dataset("abu-crops")
    nm = data.library.wavelength.values
    assert len(nm) == data.sides["train"].bands == 179
    assert not ((nm > 1350) & (nm < 1435)).any()
    assert not ((nm > 1810) & (nm < 1945)).any()
    assert [len(data.sides[side]) for side in SIDES] == [9, 1, 2]
    assert data.given == (5, 15, 32)
    assert data.library.sizes["spectrum"] == 345


@needs_data
def test_the_chip_lies_on_the_houston_crop():
    """Its red, green and blue follow bands 22, 11 and 4, pixel for pixel."""
    data = open_dataset("houston-chip")
    for side in SIDES:
        (rgb,), (hsi,) = data.sides[side].rgb, data.sides[side].hsi
        for colour, band in zip(rgb, (22, 11, 4), strict=True):
            pair = torch.stack([colour.flatten(), hsi[band].flatten()])
            assert float(torch.corrcoef(pair)[0, 1]) > 0.99
    assert data.given == ()


# Claims


def claimed(tmp_path, mpsnr, **inss):
    """Write records of Table II and of INSS with these numbers, and return the verdicts."""
    store = RecordStore(tmp_path)
    sources = provenance(seed=0, data_sha256="", wall_time_s=1.0, peak_memory_mb=1.0, device="cpu")
    for key in keys("abu-crops", "paper", None, [0], table="II"):
        number = ABLATIONS[key.method].published
        arrays = inss if key.method == "inss" else {}
        store.write(Record(key, {"MPSNR": mpsnr[number]}, arrays=arrays, provenance=sources))
    return {v.claim: v for v in decided(store) if v.scene == "abu-crops"}


PRINTED = {"1": 52.1, "2": 52.2, "3": 52.1, "4": 52.2, "5": 52.1, "6": 50.9, "7": 52.3} | {
    "8": 52.4, "9": 52.0, "10": 52.2, "11": 52.3, "12": 52.3
}  # fmt: skip


def test_claims_follow_from_records(tmp_path):
    """As printed three hold; with a strong linear model they fail; without runs none is decided."""
    nm = np.arange(400.0, 1300.0, 10.0)
    dips = sum(np.exp(-0.5 * ((nm - gas) / 12) ** 2) for gas in (760, 940, 1130))
    sun = 2.0 - nm / 1000 - 0.5 * dips
    arrays = {"wavelength": nm, "irradiance": sun, "atmosphere": 3 * sun}
    names = ("inss-order", "inss-nonlinear-gain", "inss-robust-settings", "inss-atmosphere")
    found = claimed(tmp_path / "a", PRINTED, **arrays)
    assert {found[name].word for name in names} == {"holds"}
    assert found["inss-best-but-rmse"].word == "undecided"
    flat = {**arrays, "atmosphere": 2.0 - nm / 1000}
    found = claimed(tmp_path / "b", {**PRINTED, "6": 52.35, "11": 51.8}, **flat)
    assert {found[name].word for name in names} == {"fails"}
    assert "row 11 -0.60" in found["inss-robust-settings"].evidence
    assert {v.word for v in decided(RecordStore(tmp_path / "empty"))} == {"undecided"}


# What the library spans


def test_alternation_finds_planted_light():
    """Mixtures of a library under a planted t: from a flat start the error falls to nothing."""
    rng = np.random.default_rng(0)
    R, t = rng.random((12, 8)), 0.5 + rng.random(12)
    shares = rng.dirichlet(np.full(8, 0.3), size=60).T
    pixels = t[:, None] * (R @ shares)
    found, mine, errors = alternate(pixels, R, np.full(12, t.mean()), 60)
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < 0.05 * errors[0]
    assert np.corrcoef(found, t)[0, 1] > 0.99
    assert mine.min() >= 0
    assert mine.sum(axis=0) == pytest.approx(np.ones(60), abs=1e-3)


def test_best_abundances_are_those_of_fcls():
    """SciPy's active sets and the alternating directions solve one problem."""
    rng = np.random.default_rng(1)
    R, t = rng.random((12, 5)), 0.5 + rng.random(12)
    pixels = rng.random((12, 20))
    ours = abundances(pixels, R, t)
    theirs = fcls(torch.from_numpy(pixels), torch.from_numpy(t[:, None] * R)).numpy()
    assert np.abs(ours - theirs).max() < 0.02  # the sum to one is a heavy weight here, not a law


@pytest.mark.parametrize("method", ["library-start", "flat-start", "random-start"])
def test_a_span_becomes_a_record(method):
    """Errors before and after, here and elsewhere, and how t and the Sun agree."""
    (key,) = keys("planted", "smoke", [method], table="spans")
    record = run_cell(key)
    assert record.metrics["RMSE"] <= record.metrics["RMSE with the first t"]
    assert record.metrics["RMSE on the test images"] > 0
    assert -1 <= record.metrics["correlation with the Sun"] <= 1
    if method == "flat-start":
        assert record.metrics["correlation of the first t"] == 0.0
    assert record.curves["error"].shape == (4,)


# A cell


def test_bands_that_are_given_flatter():
    """Counting three bands that are the input raises the PSNR; the own peak lowers it."""
    true = torch.rand(10, 16, 16, generator=torch.Generator().manual_seed(0))
    made = true + 0.02
    made[:3] = true[:3]
    scores = scores_of(made, true, (0, 1, 2))
    assert scores["MPSNR"] > scores[NOT_GIVEN] + 3
    assert scores[NOT_GIVEN] - scores[OWN_PEAK] == pytest.approx(
        20 * np.log10(65535 / (4095 * float(true.max()))), abs=1e-6
    )


def test_picked_pixels_differ():
    """The brightest first, then those of other directions; never one twice, nor a dark one."""
    image = torch.rand(7, 9, 11, generator=torch.Generator().manual_seed(0))
    image[:, 4, 4] *= 1e-3
    rows, columns = picked_pixels(image)
    places = list(zip(rows.tolist(), columns.tolist(), strict=True))
    assert len(set(places)) == 6
    assert places[0] == divmod(int(image.mean(dim=0).argmax()), 11)
    assert (4, 4) not in places


@pytest.mark.parametrize("method", ["regression", "inss"])
def test_a_cell_becomes_a_record(method):
    """Metrics of the paper, spectra, maps, and where the images come from."""
    (key,) = keys("planted", "smoke", [method])
    record = run_cell(key)
    assert {"RMSE", "MRAE", "SAM", "MSSIM", "MPSNR", NOT_GIVEN, OWN_PEAK} <= set(record.metrics)
    assert record.arrays["spectra_true"].shape == record.arrays["spectra_made"].shape == (6, 30)
    assert record.arrays["rmse_by_band"].shape == (30,)
    assert {"true", "made", "rmse", "sam", "mrae"} <= set(record.images)
    shown = record.settings["bands_shown"]
    assert record.images["bands_made"].shape == (64, 64 * len(shown))
    assert ({BEYOND, EXCHANGED} <= set(record.metrics)) == (method == "inss")
    if method == "inss":  # what the chapters of the library have in a pixel is all of it
        chapters = record.images["chapters"].astype(int).reshape(64, -1, 64).sum(axis=1)
        assert np.abs(chapters - 255).max() <= len(record.settings["chapters"]) / 2
    assert record.settings["test images"] == ["planted-3"]
    assert record.provenance["data_sha256"] == open_dataset("planted").sha256
    assert ("atmosphere" in record.arrays) == ("abundances" in record.images) == (method == "inss")


def test_a_trained_model_is_trained_once(tmp_path, monkeypatch):
    """Who asks for a fitted model a second time gets the same numbers, and waits for no step."""
    monkeypatch.setenv("HSIREPRO_SCRATCH", str(tmp_path))
    first = trained("planted", "smoke")
    monkeypatch.setattr("hsirepro.recovery.training._improve", None)  # what every third step needs
    again = trained("planted", "smoke")
    rgb = torch.rand(3, 20, 33)
    assert torch.equal(first.model.reconstruct(rgb).image, again.model.reconstruct(rgb).image)


def test_what_tiles_know_is_told_from_what_they_share():
    """Tiles of one mind change nothing when exchanged; without reflections nothing is beyond."""
    model = INSS(bands=6, materials=5, width=4, tile=8, stages=4)
    model.library.copy_(torch.rand(6, 5))
    rgb = torch.rand(3, 35, 50)
    last = model.transform[-1]
    torch.nn.init.normal_(last.bias)
    torch.nn.init.zeros_(last.weight)
    alike = mixing_scores(model, rgb)
    assert alike[EXCHANGED] == 0.0 < alike[BEYOND]
    torch.nn.init.normal_(last.weight, std=100.0)
    assert mixing_scores(model, rgb)[EXCHANGED] > 0.0
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    assert mixing_scores(model, rgb)[BEYOND] == 0.0
    assert mixing_scores(INSS(bands=6, materials=5, width=4, order=1), rgb) == {}
