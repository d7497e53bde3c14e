"""Presets: each paper's metrics under its own names and definitions."""

from __future__ import annotations

import csv
import importlib.resources
import math

import numpy as np
import pytest

from hsirepro.errors import ParameterError, PixelError
from hsirepro.metrics import (
    BETTER,
    PRESETS,
    UNITS,
    ergas,
    evaluate,
    mrae,
    psnr,
    rmse,
    sam,
    ssim,
)
from hsirepro.scenes.cube import make_cube

PUBLISHED = {
    "hyconet": {"mPSNR", "mSAM", "ERGAS", "RMSE", "MRAE"},
    "inss": {"RMSE", "MRAE", "SAM", "MSSIM", "MPSNR"},
    "msf-diff": {"RMSE", "PSNR", "SSIM", "SAD", "ERGAS"},
    "semantic-rgb2hsi": {"PSNR", "ASSIM", "ASSIM_range1", "SAM"},
}


@pytest.fixture
def images():
    rng = np.random.default_rng(2)
    reference = rng.uniform(0.2, 0.9, (20, 18, 4))
    return reference + 0.02 * rng.standard_normal(reference.shape), reference


def test_every_paper_with_full_reference_tables_has_a_preset(images):
    """Presets carry the names printed in the papers, with a unit and a direction each."""
    assert {name: set(preset.measures) for name, preset in PRESETS.items()} == PUBLISHED
    for name, preset in PRESETS.items():
        scale = 10_000 if preset.counts else 1
        ratio = 4 if name == "hyconet" else None
        scores = evaluate(images[0] * scale, images[1] * scale, name, ratio)
        assert set(scores) == PUBLISHED[name]
        assert all(type(value) is float and math.isfinite(value) for value in scores.values())
        assert set(preset.units) == PUBLISHED[name]
        assert PUBLISHED[name] <= set(BETTER)


def test_better_means_closer(images):
    """A metric that is better when higher rises as the error shrinks, the others fall."""
    estimate, reference = images
    nearer = reference + (estimate - reference) / 4
    for name, preset in PRESETS.items():
        scale = 10_000 if preset.counts else 1
        ratio = 4 if name == "hyconet" else None
        far = evaluate(estimate * scale, reference * scale, name, ratio)
        near = evaluate(nearer * scale, reference * scale, name, ratio)
        for metric, value in far.items():
            rises = near[metric] > value
            assert rises == (BETTER[metric] == "higher"), (name, metric)


def test_hyconet_definitions(images):
    """HyCoNet: band-wise peaks of the reference, degrees, ERGAS at the ratio of the scene."""
    assert evaluate(*images, "hyconet", ratio=8) == {
        "mPSNR": psnr(*images, peak="reference-band-max"),
        "mSAM": sam(*images, angle_unit="degrees"),
        "ERGAS": ergas(*images, ratio=8),
        "RMSE": rmse(*images),
        "MRAE": mrae(*images, eps=1e-3),
    }


def test_inss_definitions_on_truncated_counts(images):
    """INSS: whole counts, peak 65535, radians, MRAE over g + 1."""
    estimate, reference = images[0] * 4095 + 0.7, np.round(images[1] * 4095)
    estimate[0, 0, 0], estimate[0, 0, 1] = -5.0, 70_000.0
    whole = np.clip(np.floor(estimate), 0, 65535)
    scores = evaluate(estimate, reference, "inss")
    assert scores == pytest.approx(
        {
            "RMSE": rmse(whole, reference),
            "MRAE": mrae(whole, reference, eps=1),
            "SAM": sam(whole, reference, angle_unit="radians"),
            "MSSIM": ssim(whole, reference, data_range=65535, window="gaussian"),
            "MPSNR": psnr(whole, reference, peak=65535),
        }
    )
    assert scores["RMSE"] != pytest.approx(rmse(estimate, reference))


def test_msf_diff_definitions(images):
    """MSF-Diff: data in [0, 1], SAD without black pixels, ERGAS at 4 unless told otherwise."""
    estimate, reference = images
    reference[0, 0] = 0
    scores = evaluate(estimate, reference, "msf-diff")
    assert scores["SAD"] == sam(estimate, reference, angle_unit="degrees", zero_spectra="skip")
    assert scores["SAD"] < sam(estimate, reference, angle_unit="degrees")
    assert scores["ERGAS"] == ergas(estimate, reference, ratio=4)
    assert evaluate(estimate, reference, "msf-diff", ratio=8)["ERGAS"] == scores["ERGAS"] / 2
    assert scores["PSNR"] == psnr(estimate, reference, peak=1)
    assert scores["SSIM"] == ssim(estimate, reference, data_range=1, window="uniform")


def test_semantic_rgb2hsi_definitions(images):
    """The release's SSIM assumes a range of 2 and is the higher of the two."""
    scores = evaluate(*images, "semantic-rgb2hsi")
    assert scores["ASSIM"] == ssim(*images, data_range=2, window="uniform")
    assert scores["ASSIM_range1"] == ssim(*images, data_range=1, window="uniform")
    assert scores["ASSIM"] > scores["ASSIM_range1"]
    assert scores["SAM"] == sam(*images, angle_unit="degrees", eps=1e-6)
    assert scores["PSNR"] == psnr(*images, peak=1)


def test_units_that_papers_disagree_on_are_asked_per_paper():
    """SAM is in degrees in one paper and in radians in another: no common unit is claimed."""
    assert UNITS["mPSNR"] == "dB"
    assert UNITS["mSAM"] == "degree"
    assert "SAM" not in UNITS
    assert PRESETS["inss"].units["SAM"] == "radian"
    assert PRESETS["semantic-rgb2hsi"].units["SAM"] == "degree"


def test_presets_cannot_be_altered():
    """A paper's definitions are data, the same for every caller."""
    with pytest.raises(TypeError):
        PRESETS["hyconet"].measures["mPSNR"] = None


def test_published_tables_agree_on_unit_and_direction():
    """Units and directions are those of the published values, where both name a metric."""
    seen = 0
    for name, preset in PRESETS.items():
        folder = importlib.resources.files("hsirepro") / "papers" / name.replace("-", "_")
        if not (folder / "published.csv").is_file():
            continue
        with (folder / "published.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["metric"] in preset.measures:
                    measure = preset.measures[row["metric"]]
                    assert (measure.unit, measure.better) == (row["unit"], row["better"])
                    seen += 1
    assert seen > 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x, g: evaluate(x, g, "hyconett", 4), ParameterError, "did you mean 'hyconet'?"),
        (lambda x, g: evaluate(x, g, "hud"), ParameterError, "HUD has no full-reference metrics"),
        (lambda x, g: evaluate(x, g), ParameterError, "'hyconet' needs the ratio"),
        (lambda x, g: evaluate(x, g, "inss", 4), ParameterError, "no metric that takes a ratio"),
        (lambda x, g: evaluate(x, g, "inss"), ParameterError, "works on 16-bit counts"),
        (lambda x, g: evaluate(x, g, ratio=-4), ParameterError, "ratio=-4 has to be"),
        (lambda x, g: evaluate(x * np.nan, g, ratio=4), PixelError, "The estimate holds"),
    ],
)
def test_bad_input_is_named(images, call, error, text):
    """A preset that cannot be used on these images says why."""
    with pytest.raises(error) as caught:
        call(*images)
    assert text in str(caught.value)


def test_cubes_give_the_numbers_of_their_arrays(images):
    """Labels align the images and change no value."""
    cubes = [make_cube(image, [450, 550, 650, 750]) for image in images]
    arrays = [cube.values for cube in cubes]
    assert evaluate(*cubes, ratio=4) == evaluate(*arrays, ratio=4)
