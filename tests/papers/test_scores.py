"""What the chapters say of recorded runs follows from these runs, and from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hsirepro.papers.hyconet import keys, study_keys
from hsirepro.papers.hyconet.scores import (
    METHODS,
    METRICS,
    bf16_note,
    lead_note,
    nearness_note,
    printed,
    scenes_of,
    scores,
    told,
    verdict_note,
    yardsticks_note,
)
from hsirepro.records import Record, RecordStore

SOURCE: dict[str, Any] = {
    "hardware": "a machine",
    "code_hash": "0" * 64,
    "data_sha256": "1" * 64,
    "date": "2026-01-01T00:00:00+00:00",
    "wall_time_s": 1.0,
    "peak_memory_mb": 1.0,
}
SCENE, TABLE = "jasper-ridge", "III"


def put(
    store: RecordStore,
    method: str,
    psnr: float,
    *,
    seed: int = 0,
    sigma: float = 0.5,
    profile: str = "paper",
    ratio: int = 0,
    **metrics: float,
) -> None:
    (key,) = keys(TABLE, SCENE, sigma, profile, [method], [seed], ratio)
    settings = {"ratio": ratio or 4}
    store.write(Record(key, {"mPSNR": psnr, **metrics}, settings=settings, provenance=SOURCE))


@pytest.fixture
def store(tmp_path) -> RecordStore:
    return RecordStore(tmp_path)


def test_frame_has_a_row_per_run_of_one_profile(store):
    """Runs of another length, or at a ratio of the reader's own, are not among them."""
    put(store, "hyconet", 40.0, mSAM=2.0)
    put(store, "hyconet", 41.0, seed=1)
    put(store, "gsa", 30.0, sigma=2.0)
    put(store, "gsa", 31.0, ratio=2)
    put(store, "usdn", 20.0, profile="quick")
    frame = scores(store)
    assert [*zip(frame.method, frame.sigma, frame.seed, strict=True)] == [
        ("hyconet", 0.5, 0),
        ("hyconet", 0.5, 1),
        ("gsa", 2.0, 0),
    ]
    assert frame.mPSNR.tolist() == [40.0, 41.0, 30.0]
    np.testing.assert_array_equal(frame.mSAM, [2.0, np.nan, np.nan])
    assert scores(store, "quick").method.tolist() == ["usdn"]


def test_frame_of_nothing_has_its_columns(store):
    """An empty store is no error: every sentence says that runs are missing."""
    frame = scores(store)
    assert {"scene", "sigma", "method", "seed", "ratio", *METRICS} == set(frame.columns)
    assert "not decidable" in verdict_note(frame, SCENE)
    assert "no run of HyCoNet" in yardsticks_note(frame, SCENE)
    assert "not recorded in both precisions" in bf16_note(frame, SCENE)
    assert "not decidable" in lead_note(frame, SCENE, {"cnmf-assumed": [], "cnmf-given": []})


@pytest.mark.parametrize(
    ("ours", "words"),
    [(50.0, "it has the highest mPSNR"), (20.0, "another method is ahead of it")],
)
def test_verdict_needs_every_method(store, ours, words):
    """With a method missing it is named, and nothing is decided; a width stands for itself."""
    for place, method in enumerate(METHODS[:-2]):
        put(store, method, 30.0 + place)
    assert "not decidable at sigma 0.5 (without usdn, hyconet)" in verdict_note(
        scores(store), SCENE
    )
    put(store, "hyconet", ours - 1)
    put(store, "hyconet", ours + 1, seed=1)
    # One method that is ahead is enough; to be ahead of all takes all.
    early = verdict_note(scores(store), SCENE)
    assert ("not decidable at sigma 0.5 (without usdn)" in early) == (ours == 50.0)
    put(store, "usdn", 10.0)
    note = verdict_note(scores(store), SCENE)
    assert f"{words} at sigma 0.5 ({ours:.2f} dB; sfim-hs 39.00 dB)" in note
    assert "standing in for indian-pines" in note
    assert "not decidable at sigma 1 (" in note


def test_a_scene_of_the_paper_joins_where_it_is_recorded(store):
    """It stands before the crops that stand in for it."""
    assert "indian-pines" not in scenes_of(scores(store))
    (key,) = keys("III", "indian-pines", 0.5, "paper", ["gsa"], [0])
    store.write(Record(key, {"mPSNR": 30.0}, settings={"ratio": 4}, provenance=SOURCE))
    found = scenes_of(scores(store))
    assert found.index("indian-pines") == found.index("jasper-ridge") - 1
    assert "the paper's own scene" in verdict_note(scores(store), "indian-pines")


def test_yardsticks_are_of_maximum_and_of_mean(store):
    """40 dB is an error of 1 % of the maximum; ERGAS times the ratio is that of the mean."""
    put(store, "hyconet", 40.0, ERGAS=2.5)
    note = yardsticks_note(scores(store), SCENE)
    assert "1.0 % of a band's maximum" in note
    assert "10 % of a band's mean" in note


def test_bf16_is_compared_seed_by_seed(store):
    """A seed that only one precision has counts for the spread, not for the change."""
    put(store, "hyconet", 40.0)
    put(store, "hyconet-bf16", 39.75)
    put(store, "hyconet-bf16", 10.0, seed=2)
    assert "by -0.25 dB; there is one seed" in bf16_note(scores(store), SCENE)
    put(store, "hyconet", 41.0, seed=1)
    assert "by -0.25 dB; 2 seeds of fp32 are 1.00 dB apart" in bf16_note(scores(store), SCENE)


def test_lead_is_against_the_best_before_and_after(store):
    """The best baseline may change once all are told the truth."""
    told = {"cnmf-assumed": 30.0, "fuse-assumed": 28.0, "cnmf-given": 31.0, "fuse-given": 36.0}
    variants = {}
    for name, psnr in told.items():
        (key,) = study_keys("mismatch", SCENE, "paper", [name], [0])
        variants[name] = [Record(key, {"mPSNR": psnr}, provenance=SOURCE)]
    put(store, "hyconet", 20.0, profile="quick")
    note = lead_note(scores(store), SCENE, variants)
    assert "No run of HyCoNet of the paper's length" in note, "a shorter run counted"
    put(store, "hyconet", 35.0)
    note = lead_note(scores(store), SCENE, variants)
    assert "cnmf +1.00 dB, fuse +8.00 dB" in note
    assert "the best of these 2 falls from +5.00 dB (cnmf) to -1.00 dB (fuse)" in note


def test_what_was_told_is_compared_on_common_seeds():
    """The default option has more seeds than the others, which must not tell them apart."""
    variants = {}
    for name, scored in {"g-somp-hysure": [30.0, 36.0], "g-somp-given": [31.0]}.items():
        found = study_keys("estimators", SCENE, "paper", [name], range(len(scored)))
        variants[name] = [
            Record(key, {"mPSNR": psnr}, provenance=SOURCE)
            for key, psnr in zip(found, scored, strict=True)
        ]
    variants["fuse-given"] = []
    assert told(variants) == {"g-somp": {"hysure": 30.0, "given": 31.0}}


def test_nearness_is_the_mean_distance_to_the_printed_scores():
    """Table III prints 32.46 dB for CNMF and 26.79 for FUSE at sigma 0.5."""
    theirs = printed(TABLE)
    variants = {}
    for name, off in (
        ("cnmf-hysure", 1.0),
        ("fuse-hysure", -2.0),
        ("cnmf-given", 4.0),
        ("fuse-given", 4.0),
    ):
        method, _, _ = name.rpartition("-")
        (key,) = study_keys("estimators", SCENE, "paper", [name], [0])
        variants[name] = [Record(key, {"mPSNR": theirs[method, 0.5] + off}, provenance=SOURCE)]
    note = nearness_note(SCENE, variants, ("hysure", "given"))
    assert "the 2 are on average apart" in note
    assert "1.5 dB with *hysure*, 4.0 dB with *given*" in note
    assert "not decidable" in nearness_note(SCENE, variants, ("hysure", "covered"))


def test_printed_has_every_cell_of_the_paper():
    """Eleven methods by three widths; bicubic is not in the paper."""
    for table in ("II", "III", "IV", "V"):
        assert set(printed(table)) == {
            (method, sigma) for method in METHODS[1:] for sigma in (0.5, 1.0, 2.0)
        }


def test_verdict_by_a_hair(store):
    """A hundredth of a dB is enough either way, and a draw is no lead."""
    for place, method in enumerate(METHODS):
        for sigma, ours in ((0.5, 39.99), (1.0, 40.0), (2.0, 40.01)):
            put(store, method, ours if method == "hyconet" else 40.0 - place, sigma=sigma)
    note = verdict_note(scores(store), SCENE)
    assert "it has the highest mPSNR at sigma 2 (" in note
    assert "another method is ahead of it at sigma 0.5 (39.99 dB; bicubic 40.00 dB) and 1 (" in note


def test_lead_needs_both_options_of_every_baseline(store):
    """A baseline that is missing after would make the lead one of others."""
    variants = {}
    for name, psnr in {"cnmf-assumed": 30.0, "fuse-assumed": 28.0, "cnmf-given": 31.0}.items():
        (key,) = study_keys("mismatch", SCENE, "paper", [name], [0])
        variants[name] = [Record(key, {"mPSNR": psnr}, provenance=SOURCE)]
    variants["fuse-given"] = []
    assert "not decidable" in lead_note(scores(store), SCENE, variants)
