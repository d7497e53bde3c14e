"""Say in one line what made the numbers of a table or a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsirepro.records import Record

HASH_DIGITS = 8


def provenance_line(records: Iterable[Record]) -> str:
    """Return one line on what made ``records``; where they differ, all values are listed.

    Parameters
    ----------
    records : iterable of Record
        The records that a table or a figure shows.

    Returns
    -------
    str
        Profile, seeds, hardware, the first digits of the hashes of code and data (SHA-256),
        dates (UTC), wall time in s and peak memory in MB per record.
    """
    shown = list(records)
    if not shown:
        return "No records."
    made = [record.provenance for record in shown]
    parts = [
        "profile " + _distinct(record.key.profile for record in shown),
        "seed " + _distinct(str(seed) for seed in sorted({record.key.seed for record in shown})),
        "on " + _distinct(str(one["hardware"]) for one in made),
        "code " + _distinct(str(one["code_hash"])[:HASH_DIGITS] for one in made),
        "data "
        + _distinct(str(one["data_sha256"])[:HASH_DIGITS] or "planted in the run" for one in made),
        _distinct(sorted(str(one["date"])[:10] for one in made)),
        _range((float(one["wall_time_s"]) for one in made), "s"),
        _range((float(one["peak_memory_mb"]) for one in made), "MB at peak"),
    ]
    return f"{len(shown)} record{'' if len(shown) == 1 else 's'}: {'; '.join(parts)}."


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _range(values: Iterable[float], unit: str) -> str:
    measured = sorted(values)
    low, high = (f"{value:.1f}" for value in (measured[0], measured[-1]))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
