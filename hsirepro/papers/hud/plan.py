"""Everything that a sweep fills, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable

from hsirepro.papers.hud.experiments import (
    DAMAGED,
    DATASETS,
    HALVES,
    NULLS,
    PROFILES,
    SAMPLERS,
    STAND_INS,
    STUDIED,
    TABLE,
    TABLE_METHODS,
    VARIANTS,
    keys,
)
from hsirepro.papers.hud.run import endmembers_of
from hsirepro.papers.hud.unmixing import REFERENCED, UNMIXING, unmixing_keys
from hsirepro.records import RecordKey


def planned(profile: str, own: Iterable[str] = ()) -> list[RecordKey]:
    """List every cell of the tables, the most telling first.

    Parameters
    ----------
    profile : str
        A key of ``PROFILES``.
    own : iterable of str
        Scenes of the paper itself that are here; the stand-ins always take part.

    Examples
    --------
    >>> str(planned("quick")[0])
    'hud/I-III/pavia-centre-crop/tiles=32/null-tiles (quick, seed 0)'
    """
    seeds = PROFILES[profile].seeds if profile in PROFILES else ()
    scenes = (*own, *STAND_INS)
    rows = tuple(name for name, row in VARIANTS.items() if row.only in (None, profile))
    extra = tuple(name for name in rows if name not in (*NULLS, *TABLE_METHODS))
    found: list[RecordKey] = []
    if profile == "paper":
        found += [key for scene in REFERENCED for key in unmixing_keys(scene)]
    for methods, chosen in ((NULLS, seeds[:1]), (TABLE_METHODS, seeds[:1])):
        for scene in scenes:
            found += keys(scene, profile, methods, chosen)
    for scene in (*own, *STUDIED):
        found += keys(scene, profile, None, seeds[:1], table=DAMAGED)
        found += keys(scene, profile, (*NULLS, *TABLE_METHODS), seeds[:1], table=HALVES)
        found += keys(scene, profile, ["hud"], seeds[:1], table=SAMPLERS)
    for methods, chosen in ((extra, seeds[:1]), (rows, seeds)):
        for scene in scenes:
            found += keys(scene, profile, methods, chosen)
    return list(dict.fromkeys(found))


def asked(
    table: str,
    scene: str,
    condition: str,
    profile: str,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
) -> list[RecordKey]:
    """List the cells that a command asks for.

    Parameters
    ----------
    table : str
        ``"I-III"``, which empty text also means, ``"halves"``, ``"samplers"``, ``"damages"``
        or ``"unmixing"``.
    scene : str
    condition : str
        Such as ``"tiles=32"``; the profile's if empty.
    profile : str
    methods, seeds : iterable, optional
        All, and those of the profile, by default.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    if table == UNMIXING:
        return unmixing_keys(scene, methods, seeds)
    endmembers = endmembers_of(condition) if condition else 0
    return keys(scene, profile, methods, seeds, table=table or TABLE, endmembers=endmembers)


def scenes_here() -> list[str]:
    """Return those of the paper's own scenes whose files are on this machine."""
    from hsirepro.scenes import CATALOGUE
    from hsirepro.scenes.locate import is_here

    return [name for name in DATASETS if is_here(CATALOGUE[name])]
