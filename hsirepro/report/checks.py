"""What a figure of records asks of them, and how it calls them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hsirepro.errors import ParameterError
from hsirepro.records import Record, RecordKey

Names = Mapping[str, str | None]


def labels_of(records: Sequence[Record], names: Names | None) -> list[str]:
    """Return what to call each record: its method, and what else tells it from the others.

    That is its seed where a method occurs twice, and its profile where it is not that of most:
    shorter runs may stand beside the paper's, but never unnamed.
    """
    methods = [record.key.method for record in records]
    profiles = Counter(record.key.profile for record in records)
    usual = profiles.most_common(1)[0][0]
    return [
        ((names or {}).get(key.method) or key.method)
        + (f", seed {key.seed}" if methods.count(key.method) > 1 else "")
        + (f" ({key.profile})" if key.profile != usual else "")
        for key in (record.key for record in records)
    ]


def check_comparable(records: Sequence[Record]) -> None:
    """Raise :class:`ParameterError` unless the records are of one scene, degraded in one way."""
    if not records:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    places = {(r.key.paper, r.key.scene, r.key.condition) for r in records}
    if len(places) > 1:
        raise ParameterError(
            f"Methods are compared on one scene and condition, these are {len(places)}.",
            given="; ".join(", ".join(place) for place in sorted(places)),
            next_step="give records of one of them",
        )


def require(record: Record, kind: str, wanted: Iterable[str], what: str) -> None:
    """Raise :class:`ParameterError` if a record lacks something that is to be drawn.

    Parameters
    ----------
    record : Record
    kind : {"images", "arrays", "curves"}
    wanted : iterable of str
        Names that it has to hold.
    what : str
        What they are, for the error.
    """
    absent = [name for name in wanted if name not in getattr(record, kind)]
    if absent:
        raise ParameterError(
            f"The record {record.key} holds no {what}.",
            missing=", ".join(absent),
            next_step=f"run its cell again: {command(record.key, pictures=kind == 'images')}",
        )


def command(key: RecordKey, *, pictures: bool = False) -> str:
    """Return the command that computes a cell afresh, and keeps pictures of it where asked to.

    Examples
    --------
    >>> command(RecordKey("hyconet", "II", "planted", "sigma=0.5", "gsa", "smoke", 0))
    'hsirepro run hyconet --table II --scene planted --condition sigma=0.5 --method gsa
    --profile smoke --seed 0 --again'
    """
    options = ("table", "scene", "condition", "method", "profile", "seed")
    given = " ".join(f"--{name} {shlex.quote(str(getattr(key, name)))}" for name in options)
    return f"hsirepro run {key.paper} {given} --again" + (" --pictures" if pictures else "")
