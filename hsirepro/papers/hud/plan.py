"""Everything that a sweep fills, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable

from hsirepro.papers.hud.experiments import (
    DATASETS,
    NULLS,
    PROFILES,
    STAND_INS,
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
    extra = [name for name in VARIANTS if name not in (*NULLS, *TABLE_METHODS)]
    found: list[RecordKey] = []
    if profile == "paper":
        found += [key for scene in REFERENCED for key in unmixing_keys(scene)]
    for methods, chosen in (
        (NULLS, seeds[:1]),
        (TABLE_METHODS, seeds[:1]),
        (extra, seeds[:1]),
        ((*NULLS, *TABLE_METHODS, *extra), seeds),
    ):
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
        ``"I-III"``, which empty text also means, or ``"unmixing"``.
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
