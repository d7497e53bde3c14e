"""Every table of HUD as data: scenes, methods, profiles.

The paper's Tables I to III judge the same generated tiles by different metrics, so one cell here,
a method on a scene with a seed, holds the numbers of all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hsirepro.errors import ParameterError, suggest
from hsirepro.generation.diffusion import Layout, Schedule
from hsirepro.papers.hud.damages import DAMAGES
from hsirepro.params import Parameter
from hsirepro.records import RecordKey

PAPER = "hud"
TABLE = "I-III"
HALVES, SAMPLERS, DAMAGED = "halves", "samplers", "damages"  # studies the paper does not have
SIZE = 32  # rows and columns of a tile, in the paper


@dataclass(frozen=True)
class Scene:
    """A scene and the number of endmembers that HUD takes for it.

    Parameters
    ----------
    endmembers : int
        The number of classes of the paper's scene.
    dataset : str
        The scene of the paper that it is, or stands in for; empty where there is none.
    """

    endmembers: int
    dataset: str = ""


DATASETS: Mapping[str, Scene] = MappingProxyType(
    {
        "indian-pines-220": Scene(16, "indian-pines-220"),
        "ksc": Scene(13, "ksc"),
        "pavia-centre": Scene(9, "pavia-centre"),
        "pavia-university": Scene(9, "pavia-university"),
        "salinas": Scene(16, "salinas"),
    }
)
"""The five scenes of the paper, by their catalogue names."""

STAND_INS: Mapping[str, Scene] = MappingProxyType(
    {
        "pavia-centre-crop": Scene(9, "pavia-centre"),
        "pavia-university-crop": Scene(9, "pavia-university"),
        "jasper-ridge": Scene(16, "indian-pines-220"),
        "abu-beach-1": Scene(13, "ksc"),
        "abu-urban-3": Scene(16, "salinas"),
        "hydice-urban-crop": Scene(9),
    }
)
"""Real crops that stand in: of the same sensor, though not of the same ground.

The three AVIRIS crops have nothing but the sensor in common with Indian Pines, Salinas and the
Kennedy Space Center. ``hydice-urban-crop`` stands for no scene of the paper.
"""

STUDIED = ("pavia-centre-crop", "jasper-ridge")
"""Where a sweep runs the studies that the paper does not have."""

PLANTED = Scene(5)  # the built-in scene; also what a scene of one's own starts from


@dataclass(frozen=True)
class Profile:
    """How long the runs of a profile are.

    Parameters
    ----------
    preset : str
        Of every method that is trained.
    shorter : mapping
        Settings in place of the preset's.
    count : int
        Tiles drawn and judged.
    seeds : tuple of int
    size : int
        Rows and columns of a tile.
    minutes : str
        What to expect on two CPU cores, for the reader.
    judging : int
        Training steps of the classifier behind FID, precision and recall.
    """

    preset: str
    shorter: Mapping[str, object]
    count: int
    seeds: tuple[int, ...]
    size: int
    minutes: str
    judging: int = 400


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(
            "small",
            {"iterations": 60, "batch": 8, "warm_up": 5},
            16,
            (0,),
            16,
            "seconds, on the planted scene of 48 x 48 pixels",
            judging=80,
        ),
        "quick": Profile("small", {}, 64, (0, 1, 2), SIZE, "3 to 9 minutes a method, on a crop"),
        "paper": Profile("paper", {}, 256, (0, 1, 2), SIZE, "hours on a GPU"),
    }
)


@dataclass(frozen=True)
class Variant:
    """A row of a table: a generative method with settings.

    Parameters
    ----------
    method : str
        A key of ``hsirepro.generation.METHODS``.
    settings : mapping
        Beside those of the profile.
    published : str, optional
        The paper's name of the row.
    endmembers : bool
        Whether the method takes the scene's number of endmembers.
    trained : bool
        Whether the profile's preset and length apply.
    smoke : mapping
        What the smoke profile does otherwise than for all methods.
    only : str, optional
        The one profile in which the row is not the same as another.
    """

    method: str
    settings: Mapping[str, object]
    published: str | None = None
    endmembers: bool = False
    trained: bool = True
    smoke: Mapping[str, object] = field(default_factory=dict)
    only: str | None = None


# A smaller network learns more in a few seconds.
_SHORT: Mapping[str, object] = MappingProxyType(
    {
        "iterations": 150,
        "learning_rate": 3e-3,
        "average": 0.95,
        "layout": Layout((16, 32), groups=4),
    }
)
_SHORT_UNMIXING: Mapping[str, object] = MappingProxyType({**_SHORT, "unmixing_iterations": 60})

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "null-tiles": Variant("null-tiles", {}, trained=False),
        "null-unmixed": Variant("null-unmixed", {}, endmembers=True, trained=False),
        "null-shuffled": Variant("null-shuffled", {}, trained=False),
        "null-mixtures": Variant("null-mixtures", {}, endmembers=True, trained=False),
        "null-flat": Variant("null-flat", {}, trained=False),
        "wgan-gp": Variant("wgan-gp", {}, "GAN"),
        "vae": Variant("vae", {}, "VAE"),
        "mprnet": Variant("mprnet", {}, "MPRNet"),
        # The paper ran the authors' code.
        "unmixdiff": Variant("unmixdiff", {"version": "release"}, "UD", smoke=_SHORT_UNMIXING),
        "ubf": Variant("ubf", {"version": "release"}, "UBF", smoke=_SHORT_UNMIXING),
        "hud": Variant("hud", {}, "HUD", endmembers=True, smoke=_SHORT),
        # Eq. 15 to the letter, which the preset of the paper profile is anyway.
        "hud-noise": Variant(
            "hud", {"schedule": Schedule()}, endmembers=True, smoke=_SHORT, only="quick"
        ),
        "hud-raw": Variant("hud", {"scaling": "raw"}, endmembers=True, smoke=_SHORT),
        "hud-linear": Variant("hud", {"encoder": "linear"}, endmembers=True, smoke=_SHORT),
        "unmixdiff-repaired": Variant("unmixdiff", {"version": "repaired"}, smoke=_SHORT_UNMIXING),
        "ubf-repaired": Variant("ubf", {"version": "repaired"}, smoke=_SHORT_UNMIXING),
    }
)
COPIES = ("null-tiles", "null-unmixed")
NULLS = (*COPIES, "null-shuffled", "null-mixtures", "null-flat")
ROWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        TABLE: tuple(VARIANTS),
        HALVES: tuple(VARIANTS),
        SAMPLERS: tuple(name for name, variant in VARIANTS.items() if variant.method == "hud"),
        DAMAGED: tuple(DAMAGES),
    }
)
"""What each table may have as a row."""
TABLE_METHODS = tuple(name for name, variant in VARIANTS.items() if variant.published)
"""The rows that the paper's tables have."""

PUBLISHED_NAMES: Mapping[str, str | None] = MappingProxyType(
    {name: variant.published for name, variant in VARIANTS.items()}
)

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "scene": Parameter("str", "planted", "catalogue name, or path of your own cube"),
        "key": Parameter("str", "", "variable inside your own .mat / .h5 / .npz file"),
        "wavelengths": Parameter("str", "", "text file with one band centre per line", "nm"),
        "part": Parameter("str", "", "part of your cube: first:last,first:last", "pixels"),
        "endmembers": Parameter("int", 0, "endmembers; 0 takes the scene's", minimum=0),
        "profile": Parameter("str", "smoke", "how long the runs are", choices=tuple(PROFILES)),
        "seed": Parameter("int", 0, "random seed", minimum=0),
        "device": Parameter("str", "cpu", "where to train", choices=("cpu", "cuda", "auto")),
    }
)


def scene_of(name: str) -> Scene:
    """Return what is known of a scene; that of the planted one for scenes of the reader's own.

    Examples
    --------
    >>> scene_of("jasper-ridge").endmembers, scene_of("my/cube.hdr").dataset
    (16, '')
    """
    return {**DATASETS, **STAND_INS}.get(name, PLANTED)


def condition_of(profile: str, endmembers: int = 0) -> str:
    """Return the record condition of a profile's tiles.

    Examples
    --------
    >>> condition_of("quick"), condition_of("quick", 4)
    ('tiles=32', 'tiles=32,endmembers=4')
    """
    size = PROFILES[profile].size
    return f"tiles={size}" + (f",endmembers={endmembers}" if endmembers else "")


def settings_of(method: str, profile: str, endmembers: int) -> dict[str, Any]:
    """Return what a row of the tables gives its method in a profile.

    Parameters
    ----------
    method : str
        A key of :data:`VARIANTS`.
    profile : str
        A key of :data:`PROFILES`.
    endmembers : int
        Of the scene.

    Examples
    --------
    >>> settings_of("hud-raw", "paper", 9)
    {'preset': 'paper', 'scaling': 'raw', 'endmembers': 9}
    """
    variant, plan = VARIANTS[method], PROFILES[profile]
    length = {"preset": plan.preset, **plan.shorter} if variant.trained else {}
    if profile == "smoke":
        length |= variant.smoke
    own = {"endmembers": endmembers} if variant.endmembers else {}
    return {**length, **variant.settings, **own}


def keys(
    scene: str,
    profile: str,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    *,
    table: str = TABLE,
    endmembers: int = 0,
) -> list[RecordKey]:
    """List the cells of one scene.

    Parameters
    ----------
    scene : str
        Name under which the records are kept.
    profile : str
        A key of :data:`PROFILES`.
    methods : iterable of str, optional
        Rows of the table, see :data:`ROWS`; all by default.
    seeds : iterable of int, optional
        Those of the profile by default.
    table : str
        ``"I-III"``, ``"halves"``, ``"samplers"`` or ``"damages"``.
    endmembers : int
        A number that is not the scene's, or 0.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    if profile not in PROFILES:
        raise ParameterError(f"HUD has no profile {profile!r}.", hint=suggest(profile, PROFILES))
    if table not in ROWS:
        raise ParameterError(f"HUD has no table {table!r}.", hint=suggest(table, ROWS))
    rows = ROWS[table]
    chosen = tuple(PROFILES[profile].seeds if seeds is None else seeds)
    found = []
    for method in rows if methods is None else methods:
        if method not in rows:
            raise ParameterError(
                f"HUD's table {table} has no method {method!r}.", hint=suggest(method, rows)
            )
        found += [
            RecordKey(PAPER, table, scene, condition_of(profile, endmembers), method, profile, s)
            for s in chosen
        ]
    return found
