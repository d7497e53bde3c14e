"""What a chapter shows of a study: a comparison where there are runs, and the rest in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.papers.hyconet import (
    LOSS_TERMS,
    STUDIES,
    keys,
    recorded_variants,
    sparsity_note,
    study_findings,
    study_keys,
    study_notes,
    sum_to_one_note,
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
FIRST, *REST = STUDIES["abundances"].scenes


def put(store: RecordStore, scene: str, variant: str, profile: str = "paper") -> None:
    (key,) = study_keys("abundances", scene, profile, [variant], [0])
    store.write(Record(key, {"mPSNR": 30.0}, provenance=SOURCE))


def test_without_runs_one_line_names_every_scene_and_the_command(tmp_path):
    """Nothing is drawn of a study of which nothing is known."""
    ((scene, note, variants),) = study_notes("abundances", RecordStore(tmp_path))
    assert (scene, variants) == ("", {})
    assert all(name in note for name in STUDIES["abundances"].scenes)
    assert "`hsirepro sweep hyconet --table abundances --profile paper`" in note


def test_one_variant_is_no_comparison(tmp_path):
    """A scene is shown from the second variant on, and then says what it lacks."""
    store = RecordStore(tmp_path)
    put(store, FIRST, "clamp")
    assert [scene for scene, *_ in study_notes("abundances", store)] == [""]
    put(store, FIRST, "softmax")
    (scene, note, variants), (_, waiting, _) = study_notes("abundances", store)
    assert scene == FIRST
    assert {name: len(some) for name, some in variants.items()} == {
        "clamp": 1,
        "softmax": 1,
        "relu": 0,
    }
    assert "1 of 3 variants are not recorded" in note
    assert f"--table abundances --profile paper --scene {FIRST}`" in note
    assert "The highest mPSNR has clamp, 30.00 dB (seed 0)." in note
    assert FIRST not in waiting
    assert all(name in waiting for name in REST)


def test_runs_of_different_lengths_are_not_compared(tmp_path):
    """A quick run does not stand beside one of the paper's length."""
    store = RecordStore(tmp_path)
    put(store, FIRST, "clamp")
    put(store, FIRST, "softmax", "quick")
    assert [scene for scene, *_ in study_notes("abundances", store)] == [""]


def test_a_gap_is_filled_with_runs_of_the_length_shown(tmp_path):
    """What is missing among quick runs is a quick run; and seeds tell how far they are apart."""
    store = RecordStore(tmp_path)
    for variant, seed, psnr in (("clamp", 0, 33.0), ("clamp", 1, 31.5), ("relu", 0, 30.0)):
        (key,) = study_keys("abundances", FIRST, "quick", [variant], [seed])
        store.write(Record(key, {"mPSNR": psnr}, provenance=SOURCE))
    (_, note, _), *_ = study_notes("abundances", store)
    assert f"--profile quick --scene {FIRST}`" in note
    # Only seeds that all have are compared.
    assert "clamp, 33.00 dB, the lowest relu, 30.00 dB (seed 0)" in note
    assert "Seeds are up to 1.50 dB apart (clamp)." in note
    assert "not trained" not in note
    (plain,) = keys("II", FIRST, 0.5, "paper", ["bicubic"], [0])
    store.write(Record(plain, {"mPSNR": 31.0}, provenance=SOURCE))
    (_, note, _), *_ = study_notes("abundances", store)
    assert "Below bicubic interpolation (31.00 dB), so not trained: relu." in note


def test_findings_are_a_line_a_scene(tmp_path):
    """Without the runs behind it, and with the profile: a chapter ends with them."""
    store = RecordStore(tmp_path)
    (line,) = study_findings("abundances", store)
    assert "nothing to compare" in line
    put(store, FIRST, "clamp")
    put(store, FIRST, "relu")
    (line,) = study_findings("abundances", store)
    assert f"{FIRST}, profile paper: The highest mPSNR has clamp, 30.00 dB" in line


def test_an_unknown_study_is_named(tmp_path):
    """The nearest name is offered."""
    with pytest.raises(ParameterError, match=r"did you mean 'fig-5'"):
        list(study_notes("fig-55", RecordStore(tmp_path)))


def test_what_the_sum_to_one_term_does_is_a_difference_of_runs(tmp_path):
    """Silent without both runs; then the medians and the change of the mPSNR."""
    store = RecordStore(tmp_path)

    def put_run(variant: str, psnr: float, off: float) -> None:
        (key,) = study_keys("fig-5", FIRST, "paper", [variant], [0])
        arrays = {"abundance_sum_error": np.array(off)}
        store.write(Record(key, {"mPSNR": psnr}, arrays=arrays, provenance=SOURCE))

    put_run("full", 35.0, 2.5)
    assert sum_to_one_note(FIRST, store) == ""
    put_run("without-sum-to-one", 34.5, 3.25)
    note = sum_to_one_note(FIRST, store)
    assert "is 3.25 instead of 2.50" in note
    assert "-0.50 dB" in note


def test_the_share_of_a_term_is_that_at_the_end(tmp_path):
    """In per cent of all six terms, of the last iteration."""
    store = RecordStore(tmp_path)
    (key,) = study_keys("presets", FIRST, "paper", ["release-2021"], [0])
    curves = {name: np.array([9.0, 2.0]) for name in LOSS_TERMS} | {"iteration": np.arange(2.0)}
    curves["sparsity"] = np.array([1.0, 10.0])
    store.write(Record(key, {"mPSNR": 30.0}, curves=curves, provenance=SOURCE))
    assert "the term is 50 % (release-2021, seed 0)" in sparsity_note(FIRST, store)


def test_sum_to_one_compares_the_same_seeds(tmp_path):
    """A seed that only one of the two has changes nothing."""
    store = RecordStore(tmp_path)
    for variant, seed, psnr, off in (
        ("full", 0, 35.0, 2.5),
        ("full", 1, 5.0, 9.0),
        ("without-sum-to-one", 0, 34.5, 3.25),
    ):
        (key,) = study_keys("fig-5", FIRST, "paper", [variant], [seed])
        store.write(
            Record(
                key,
                {"mPSNR": psnr},
                arrays={"abundance_sum_error": np.array(off)},
                provenance=SOURCE,
            )
        )
    note = sum_to_one_note(FIRST, store)
    assert "is 3.25 instead of 2.50" in note
    assert "-0.50 dB" in note


def test_runs_of_the_paper_go_before_more_seeds_of_quick_ones(tmp_path):
    """Variants are counted, not runs."""
    store = RecordStore(tmp_path)
    for profile, seeds in (("paper", [0]), ("quick", [0, 1, 2])):
        for key in study_keys("abundances", FIRST, profile, ["clamp", "softmax"], seeds):
            store.write(Record(key, {"mPSNR": 30.0}, provenance=SOURCE))
    found = recorded_variants("abundances", FIRST, store)
    assert {run.key.profile for some in found.values() for run in some} == {"paper"}
