"""Records shown as they are."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.records import Record, RecordKey
from hsirepro.report import plot_recorded, run_table

MADE = {
    "wall_time_s": 2.5,
    "peak_memory_mb": 400.0,
    "hardware": "a machine",
    "code_hash": "c" * 64,
    "data_sha256": "d" * 64,
    "date": "2026-01-01T00:00:00+00:00",
}
SCORES = {"mPSNR": 31.25, "mSAM": 2.125, "ERGAS": 1.5, "RMSE": 0.0625, "MRAE": 0.125}


def record(method: str = "gsa", scene: str = "planted", *, pictures: bool = True) -> Record:
    key = RecordKey("hyconet", "II", scene, "sigma=0.5", method, "smoke", 0)
    images = {
        "false_colour": np.full((9, 7, 3), 80, np.uint8),
        "sam_centidegrees": np.arange(63, dtype=np.uint16).reshape(9, 7),
    }
    return Record(key, SCORES, images=images if pictures else {}, provenance=MADE)


def test_a_run_table_holds_the_numbers_of_its_records() -> None:
    """Every metric of a record stands in its row, with the unit in the header."""
    shown = repr(run_table([record("gsa"), record("bicubic")]))
    row = next(line for line in shown.splitlines() if line.startswith("| gsa"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("gsa", "0", "31.250", "2.125", "1.500", "0.062", "0.125", "2.5")
    ]
    assert "mPSNR (dB) ↑" in shown
    assert "mSAM (°) ↓" in shown
    assert "profile smoke" in shown


def test_a_run_table_shows_one_scene() -> None:
    """Numbers of two scenes do not stand in one table."""
    with pytest.raises(ParameterError, match=r"one scene and profile, these are 2"):
        run_table([record(), record(scene="houston-2018-crop")])


def test_recorded_pictures_share_one_scale() -> None:
    """The angles in the titles are those of the records, in degrees."""
    figure = plot_recorded([record("gsa"), record("hyconet")])
    titles = [axes.get_title() for axes in figure.axes]
    assert "gsa" in titles
    assert "mean 0.31°" in titles  # 0 .. 62 centidegrees
    assert any("degrees" in axes.get_xlabel() for axes in figure.axes)


def test_a_record_without_pictures_says_how_to_get_them() -> None:
    """The error names the record and the command."""
    with pytest.raises(ParameterError, match=r"(?s)holds no pictures.*--again"):
        plot_recorded([record(pictures=False)])
    with pytest.raises(ParameterError, match="no records to draw"):
        plot_recorded([])
