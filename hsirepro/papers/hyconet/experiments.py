"""Every table of HyCoNet as data: scenes, ratios, widths of the point spread, profiles.

Nothing is computed here. A cell of a table is a :class:`~hsirepro.records.RecordKey`;
:func:`keys` lists the cells of one table, and ``run.py`` fills one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hsirepro.errors import ParameterError, suggest
from hsirepro.params import Parameter
from hsirepro.records import RecordKey

PAPER = "hyconet"
SIGMAS = (0.5, 1.0, 2.0)
_BGR = ("blue", "green", "red")
_SIX = (*_BGR, "nir", "swir1", "swir2")


@dataclass(frozen=True)
class Table:
    """One of Tables II-V: a scene, degraded with three widths of the point spread.

    Parameters
    ----------
    dataset : str
        The paper's scene, by its catalogue name.
    ratio : int
        Ground sampling distance of the HSI over that of the MSI.
    msi_bands : tuple of str
        Landsat 8 OLI bands of the simulated MSI.
    stand_ins : tuple of str
        Real crops of the same sensor that stand in where the scene cannot be had.
    """

    dataset: str
    ratio: int
    msi_bands: tuple[str, ...]
    stand_ins: tuple[str, ...] = ()


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "II": Table("pavia-university", 4, _BGR, ("pavia-centre-crop", "pavia-university-crop")),
        "III": Table("indian-pines", 4, _SIX, ("jasper-ridge", "aviris-vi-demo")),
        "IV": Table("washington-dc", 8, _SIX, ("hydice-urban-crop",)),
        "V": Table("houston-2018", 8, _BGR, ("houston-2018-crop",)),
    }
)


@dataclass(frozen=True)
class Profile:
    """How long the runs of a profile are.

    Parameters
    ----------
    iterations : int
        Of HyCoNet; its ``hold`` keeps the same share of them as in the preset.
    seeds : tuple of int
        Seeds that a sweep runs for methods that are random.
    minutes : str
        What to expect on two CPU cores, for the reader.
    in_study : int, optional
        Iterations of HyCoNet in a study, which compares several runs; as many as in the tables
        by default.
    """

    iterations: int
    seeds: tuple[int, ...]
    minutes: str
    in_study: int | None = None


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(200, (0,), "seconds, on the planted scene of 48 x 48 pixels", in_study=60),
        "quick": Profile(1_000, (0,), "some minutes, on a crop of 128 x 128 pixels"),
        "paper": Profile(
            10_000, (0, 1, 2), "from some ten minutes to hours a seed on a CPU, by the crop"
        ),
    }
)


@dataclass(frozen=True)
class Variant:
    """A row of a table: a fusion method with settings.

    Parameters
    ----------
    method : str
        A key of ``hsirepro.fusion.METHODS``.
    settings : mapping
        Given to the method.
    random : bool
        Whether the answer depends on the seed.
    """

    method: str
    settings: Mapping[str, object]
    random: bool = False


_BASELINES: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {  # our name: the paper's, and whether the answer depends on the seed
        "cnmf": ("CNMF", True),
        "g-somp": ("GSOMP", True),
        "fuse": ("FUSE", False),
        "glp-hs": ("GLPHS", False),
        "gsa": ("GSA", False),
        "hysure": ("HySure", True),
        "lanaras": ("ICCV15", True),
        "mapsmm": ("MAPSMM", False),
        "sfim-hs": ("SFIMHS", False),
        "usdn": ("uSDN", True),
    }
)
TABLE_METHODS = (*_BASELINES, "hyconet")
"""The eleven columns of Tables II-V, in the paper's order."""

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "bicubic": Variant("bicubic", {}),
        **{name: Variant(name, {}, random) for name, (_, random) in _BASELINES.items()},
        "g-somp-pursuit": Variant("g-somp-pursuit", {}, random=True),
        "hyconet": Variant("hyconet", {"preset": "paper"}, random=True),
        "hyconet-bf16": Variant("hyconet", {"preset": "paper", "precision": "bf16"}, random=True),
        "hyconet-2021": Variant("hyconet", {"preset": "release-2021"}, random=True),
        "hyconet-2022": Variant("hyconet", {"preset": "release-2022"}, random=True),
    }
)

PUBLISHED_NAMES: Mapping[str, str | None] = MappingProxyType(
    {
        name: _BASELINES[name][0] if name in _BASELINES else None
        for name in VARIANTS
        if name != "hyconet"
    }
    | {"hyconet": "HyCoNet"}
)

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "scene": Parameter("str", "planted", "catalogue name, or path of your own cube"),
        "key": Parameter("str", "", "variable inside your own .mat / .h5 / .npz file"),
        "wavelengths": Parameter("str", "", "text file with one band centre per line", "nm"),
        "part": Parameter("str", "", "part of your cube: first:last,first:last", "pixels"),
        "ratio": Parameter("int", 0, "GSD ratio of HSI to MSI; 0 takes the table's", minimum=0),
        "sigma": Parameter("float", 0.5, "width of the Gaussian PSF", "MSI pixels", above=0.0),
        "profile": Parameter("str", "smoke", "how long the runs are", choices=tuple(PROFILES)),
        "seed": Parameter("int", 0, "random seed", minimum=0),
        "device": Parameter("str", "cpu", "where to train", choices=("cpu", "cuda", "auto")),
    }
)


def table_of(scene: str) -> str:
    """Return the table that ``scene`` belongs to; "II" for scenes of the reader's own.

    Examples
    --------
    >>> table_of("houston-2018-crop"), table_of("my/cube.hdr")
    ('V', 'II')
    """
    for name, table in TABLES.items():
        if scene == table.dataset or scene in table.stand_ins:
            return name
    return "II"


def condition_of(sigma: float, ratio: int = 0) -> str:
    """Return the record condition of a PSF width, and of a ratio that is not the table's.

    Examples
    --------
    >>> condition_of(1), condition_of(0.5, 6)
    ('sigma=1', 'sigma=0.5,ratio=6')
    """
    return f"sigma={sigma:g}" + (f",ratio={ratio}" if ratio else "")


def sigma_of(condition: str) -> float:
    """Return the PSF width of a record condition, MSI pixels.

    Raises
    ------
    ParameterError
        If ``condition`` is not ``sigma=NUMBER`` or ``sigma=NUMBER,ratio=NUMBER``.
    """
    return _parts(condition)[0]


def ratio_of(condition: str) -> int:
    """Return the ratio of a record condition; 0 where it is the table's."""
    return _parts(condition)[1]


def _parts(condition: str) -> tuple[float, int]:
    match = re.fullmatch(r"sigma=([0-9.]+)(?:,ratio=([0-9]+))?", condition)
    try:
        sigma = float(match[1]) if match else 0.0
    except ValueError:
        sigma = 0.0
    if match is None or sigma <= 0:
        raise ParameterError(
            f"HyCoNet has no condition {condition!r}.", next_step="write it as sigma=0.5"
        )
    return sigma, int(match[2] or 0)


def keys(
    table: str,
    scene: str,
    sigma: float,
    profile: str,
    methods: Iterable[str] = VARIANTS,
    seeds: Iterable[int] | None = None,
    ratio: int = 0,
) -> list[RecordKey]:
    """List the cells of one table for one scene and PSF width.

    Parameters
    ----------
    table : str
        A key of :data:`TABLES`.
    scene : str
        Name under which the records are kept.
    sigma : float
        Width of the Gaussian point spread, MSI pixels.
    profile : str
        A key of :data:`PROFILES`.
    methods : iterable of str
        Keys of :data:`VARIANTS`.
    seeds : iterable of int, optional
        Those of the profile by default; methods without chance run for the first alone.

    ratio : int
        A ratio that is not the table's, or 0.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    for kind, name, options in (("table", table, TABLES), ("profile", profile, PROFILES)):
        if name not in options:
            raise ParameterError(f"HyCoNet has no {kind} {name!r}.", hint=suggest(name, options))
    chosen = tuple(PROFILES[profile].seeds if seeds is None else seeds)
    found = []
    for method in methods:
        if method not in VARIANTS:
            raise ParameterError(
                f"HyCoNet's tables have no method {method!r}.", hint=suggest(method, VARIANTS)
            )
        for seed in chosen if VARIANTS[method].random else chosen[:1]:
            found.append(
                RecordKey(PAPER, table, scene, condition_of(sigma, ratio), method, profile, seed)
            )
    return found
