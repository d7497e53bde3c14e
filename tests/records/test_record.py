"""Laws of a record: what is in it, what may not be, and where it lies."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from hsirepro.errors import ParameterError, RecordError
from hsirepro.records import Record, RecordKey

KEY = {
    "paper": "hyconet",
    "table": "II",
    "scene": "planted",
    "condition": "psf_sigma=0.5",
    "method": "GSA",
    "profile": "smoke",
    "seed": 0,
}


def key(**changes):
    return RecordKey(**{**KEY, **changes})


def test_ordinary_keys_can_be_read_off_the_path():
    """A record's place tells paper, table, scene, condition, method, profile and seed."""
    expected = "hyconet/II/planted/psf_sigma=0.5/GSA--smoke--seed0.h5"
    assert key().path.as_posix() == expected


@pytest.mark.parametrize("field", ["paper", "table", "scene", "condition", "method"])
def test_different_keys_never_share_a_place(field):
    """Two cells never overwrite each other, however alike or odd their names are."""
    odd = ["a b", "a-b", "a/b", "a\\b", "a:b", "..", ".", ".a", "λ", "é", "a--b", "A*", "x" * 300]
    odd += ["x" * 301, "-", "a~b", "a\nb", "?"]
    places = [key(**{field: name}).path for name in odd]
    assert len(set(places)) == len(odd)
    for place in places:
        assert len(place.parts) == 5
        assert not {"..", "."} & set(place.parts)
        assert not place.is_absolute()
        assert max(len(part) for part in place.parts) < 130
        assert set(place.as_posix()) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.=+-~/"
        )


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"profile": "papper"}, "'papper' is not a profile.\n  next step  did you mean 'paper'?"),
        ({"scene": " "}, "A record's scene must be a name, not ' '"),
        ({"table": 2}, "A record's table must be a name, not 2"),
        ({"seed": -1}, "seed must be a whole number from 0, not -1"),
        ({"seed": 1.0}, "seed must be a whole number from 0, not 1.0"),
        ({"seed": True}, "seed must be a whole number from 0, not True"),
    ],
)
def test_impossible_keys_are_refused(bad, says):
    """A key that names no cell is refused before anything is computed for it."""
    with pytest.raises(ParameterError) as caught:
        key(**bad)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"metrics": {"mPSNR": math.nan}}, "Metric 'mPSNR' is NaN"),
        ({"images": {"fused": np.zeros((4, 4, 3), np.float32)}}, "'fused' has dtype float32"),
        ({"images": {"fused": np.zeros((4, 4, 5), np.uint8)}}, "'fused' has shape (4, 4, 5)"),
        ({"images": {"fused": np.zeros(4, np.uint8)}}, "'fused' has shape (4,)"),
        ({"arrays": {"names": np.array(["a"])}}, "'names' has dtype <U1, which is not a number"),
        ({"arrays": {"thing": np.array([{}], dtype=object)}}, "'thing' has dtype object"),
        ({"curves": {"loss/total": np.zeros(3)}}, "'loss/total' cannot name"),
        ({"settings": {"out": Path("x.h5")}}, "The settings hold something that JSON cannot"),
        ({"provenance": {"device": object()}}, "The provenance hold something that JSON cannot"),
    ],
)
def test_content_that_cannot_be_kept_is_refused(bad, says):
    """A record refuses what it could not give back, and names the cell."""
    with pytest.raises(RecordError) as caught:
        Record(**{"key": key(), "metrics": {}, **bad})
    assert says in str(caught.value)
    assert "hyconet/II/planted/psf_sigma=0.5/GSA (smoke, seed 0)" in str(caught.value)


def test_record_in_memory_is_the_record_on_disk():
    """Types are brought to their stored form at once: there is one truth, not two."""
    settings = {"size": (3, 4), "rate": np.float32(0.5), "steps": np.int64(7)}
    record = Record(key(), {"RMSE": np.float32(0.25)}, {"loss": [1.0, 2.0]}, settings=settings)
    assert record.curves["loss"].dtype == np.float32
    assert record.settings == {"size": [3, 4], "rate": 0.5, "steps": 7}
    assert type(record.metrics["RMSE"]) is float


@pytest.mark.parametrize(
    "change",
    [
        {"key": key(seed=1)},
        {"metrics": {"RMSE": 0.2500001}},
        {"curves": {"loss": np.array([1.0, 3.0])}},
        {"curves": {"loss": np.array([1, 2])}},
        {"curves": {}},
        {"settings": {"p": 31}},
    ],
)
def test_records_are_equal_only_if_all_of_them_is(change):
    """Equality looks at the key, every number, every dtype and every setting."""
    content = {
        "key": key(),
        "metrics": {"RMSE": 0.25},
        "curves": {"loss": np.array([1.0, np.nan])},
        "settings": {"p": 30},
    }
    assert Record(**content) == Record(**content)
    assert Record(**content) != Record(**{**content, **change})
    assert Record(**content) != "a record"
