"""Sentences on INSS follow from records."""

from __future__ import annotations

import numpy as np

from hsirepro.papers.inss.findings import light_notes, planted_notes, step_notes, table_notes
from hsirepro.papers.inss.recording import BEYOND, EXCHANGED, LAST, NOT_GIVEN, OWN_PEAK
from hsirepro.records import Record, RecordKey, provenance

SOURCES = provenance(seed=0, data_sha256="0", wall_time_s=1.0, peak_memory_mb=1.0, device="cpu")


def made(method, profile="quick", seed=0, condition="rgb", arrays=None, **metrics):
    """Return a record of made-up numbers."""
    key = RecordKey("inss", "I", "abu-crops", condition, method, profile, seed)
    return Record(key, metrics, {}, arrays or {}, {}, {}, SOURCES)


def row(method, level, **more):
    """Return a row of Table I, the better the higher its level."""
    return made(
        method,
        **{"RMSE": -level, "MRAE": -level, "SAM": -level, "MSSIM": level, "MPSNR": 40.0 + level},
        **{NOT_GIVEN: 39.0 + level, OWN_PEAK: 19.0 + level, **more},
    )


def test_the_best_and_those_above_the_regression_are_named():
    """And what flatters is counted in dB."""
    runs = [
        row("regression", 2.0),
        row("pdass", 1.0),
        row("inss", 3.0, **{LAST: 42.5, BEYOND: 1.6, EXCHANGED: 0.2}),
    ]
    told = "\n".join(table_notes([*runs, made("smoky", "smoke", MPSNR=99.0)]))
    assert "RMSE inss, MRAE inss, SAM inss, MSSIM inss, MPSNR inss" in told
    assert "regression has 41.00 dB; of 2 networks 1 have more: inss" in told
    assert "worth up to 1.0 dB" in told
    assert "another 20.0" in told
    assert "1.6 %; tiles that exchange their mixing models, by 0.2 %" in told
    assert "by +0.50 dB at most (inss)" in told
    assert "smoky" not in told
    assert table_notes([made("inss", "smoke", MPSNR=1.0)]) == []


def test_steps_stand_beside_the_spread_of_seeds():
    """A step says little that is smaller than what seeds differ by."""
    variants = {
        "inss": [made("inss", MPSNR=40.0), made("inss", seed=1, MPSNR=41.0)],
        "6-order-1": [made("6-order-1", MPSNR=39.0)],
        "9-order-4": [],
    }
    (told,) = step_notes(variants)
    assert "6-order-1 -1.50." in told
    assert "9-order-4" not in told
    assert "differ by 1.00 dB" in told
    assert step_notes({"inss": variants["inss"]}) == []


def test_light_is_told_by_its_dips():
    """A t that follows the Sun has the minimum of oxygen; records without one are passed over."""
    nm = np.arange(700.0, 830.0, 10.0)
    sun = np.abs(nm - 760.0) + 5.0
    (told,) = light_notes(
        [
            made("inss", arrays={"wavelength": nm, "atmosphere": 2 * sun, "irradiance": sun}),
            made("x"),
        ]
    )
    assert "correlate by 1.00; t has minima near 760 nm" in told


def test_what_models_leave_is_told_by_condition():
    """A sentence per planted order."""
    metrics = {"left of bands between": 54.0, "RMSE of abundances from spectra": 0.119}
    runs = [made("order-1", condition=f"planted-order={k}", **metrics) for k in (2, 3)]
    notes = planted_notes(runs)
    assert len(notes) == 2
    assert "order-1 54.0 times the noise (abundances off by 0.119)" in notes[0]
