"""Everything that a sweep fills: the cells of all tables and studies, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from hsirepro.papers.hyconet.experiments import (
    PROFILES,
    SIGMAS,
    TABLE_METHODS,
    TABLES,
    VARIANTS,
    condition_of,
    keys,
    ratio_of,
    sigma_of,
    table_of,
)
from hsirepro.papers.hyconet.studies import STUDIES, cells, known, study_keys
from hsirepro.records import RecordKey


def planned(profile: str, own: Iterable[str] = ()) -> list[RecordKey]:
    """List every cell of the tables and studies, the most telling first.

    Parameters
    ----------
    profile : str
        A key of ``PROFILES``.
    own : iterable of str
        Scenes of the paper itself that are here; the stand-ins always take part.

    Examples
    --------
    >>> str(planned("paper")[0])
    'hyconet/II/pavia-centre-crop/sigma=0.5/bicubic (paper, seed 0)'
    >>> len(planned("paper", ["pavia-university"])) > len(planned("paper"))
    True
    """
    seeds = PROFILES[known("profile", profile, PROFILES)].seeds
    here = tuple(own)
    rows = ("bicubic", *TABLE_METHODS)
    extra = tuple(name for name in VARIANTS if name not in rows)

    def tables(sigmas: Iterable[float], methods: Iterable[str], chosen: Iterable[int]) -> None:
        for sigma, (name, table) in product(sigmas, TABLES.items()):
            for scene in (*table.stand_ins, *(s for s in here if s == table.dataset)):
                found.extend(keys(name, scene, sigma, profile, methods, chosen))

    def studies(*names: str) -> None:
        for name in names:
            entry = STUDIES[name]
            asked = {table_of(scene) for scene in entry.scenes}
            for scene in (*entry.scenes, *(s for s in here if table_of(s) in asked)):
                found.extend(study_keys(name, scene, profile))

    found: list[RecordKey] = []
    tables(SIGMAS[:1], rows, seeds[:1])
    tables(SIGMAS[1:], rows, seeds[:1])
    studies("mismatch", "estimators", "fig-5", "abundances", "response", "sparsity", "fig-7")
    tables(SIGMAS, rows, seeds)
    tables(SIGMAS[:1], extra, seeds)
    studies("fig-4a", "fig-4b", "fig-4c")
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
        Table or study; the scene's table if empty.
    scene : str
    condition : str
        Such as ``"sigma=0.5"``, which empty text also means.
    profile : str
    methods, seeds : iterable, optional
        All, and those of the profile, by default.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.

    Examples
    --------
    >>> [str(key) for key in asked("", "houston-2018-crop", "", "quick", ["gsa"])]
    ['hyconet/V/houston-2018-crop/sigma=0.5/gsa (quick, seed 0)']
    """
    place = condition or condition_of(SIGMAS[0])
    return cells(
        table or table_of(scene), scene, sigma_of(place), profile, methods, seeds, ratio_of(place)
    )


def scenes_here() -> list[str]:
    """Return those of the paper's own scenes whose files are on this machine."""
    from hsirepro.scenes import CATALOGUE
    from hsirepro.scenes.locate import is_here

    return [table.dataset for table in TABLES.values() if is_here(CATALOGUE[table.dataset])]
