"""Every table of INSS as data: images, methods, ablations, profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hsirepro.errors import ParameterError, suggest
from hsirepro.papers.inss.classification import CLASSIFIED, CLASSIFIERS, classified_keys
from hsirepro.papers.inss.embedding import EMBEDDED, FEATURES
from hsirepro.papers.inss.labelled import LABELLED, STANDING_IN, labelled_here
from hsirepro.papers.inss.planted import CONDITIONS as PLANTED_ORDERS
from hsirepro.papers.inss.planted import ORDERS, PLANTED
from hsirepro.papers.inss.planted import SCENE as PLANTED_SCENE
from hsirepro.papers.inss.scenes import DATASETS
from hsirepro.papers.inss.spans import METHODS as SPANS
from hsirepro.papers.inss.spans import SPANNED
from hsirepro.params import Parameter
from hsirepro.records import RecordKey

PAPER = "inss"
COMPARED, ABLATED, STARTED = "I", "II", "starts"
CONDITION = "rgb"  # there is one: colours in, spectra out
STAND_INS = ("abu-crops", "houston-chip")


@dataclass(frozen=True)
class Profile:
    """How long the runs of a profile are.

    Parameters
    ----------
    preset : str
        Of every method that is trained.
    shorter : mapping
        Settings in place of the preset's.
    seeds : tuple of int
    minutes : str
        What to expect, for the reader.
    """

    preset: str
    shorter: Mapping[str, object]
    seeds: tuple[int, ...]
    minutes: str


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(
            "small",
            {
                "iterations": 30,
                "batch": 2,
                "learning_rate": 5e-3,
                "warm_up": 2,
                "validate_every": 10,
            },
            (0,),
            "seconds, on simulated scenes of 64 x 64 pixels",
        ),
        "quick": Profile(
            "small", {"iterations": 600}, (0, 1, 2), "minutes a method; its record says how many"
        ),
        "paper": Profile("paper", {}, (0, 1, 2), "hours on a GPU"),
    }
)


@dataclass(frozen=True)
class Variant:
    """A row of a table: a method with settings.

    Parameters
    ----------
    method : str
        A key of ``hsirepro.recovery.METHODS``.
    settings : mapping
        Beside those of the profile.
    published : str, optional
        The paper's name of the row.
    library : bool
        Whether the method mixes a spectral library.
    trained : bool
        Whether the profile's preset and length apply.
    """

    method: str
    settings: Mapping[str, object] = field(default_factory=dict)
    published: str | None = None
    library: bool = False
    trained: bool = True


def _inss(published: str | None = None, **settings: object) -> Variant:
    return Variant("inss", settings, published, library=True)


# Table II as the paper counts it; 8 is INSS itself.
ABLATIONS: Mapping[str, Variant] = MappingProxyType(
    {
        "1-no-band-weights": _inss("1", band_weights="none"),
        "2-no-hsv": _inss("2", hsv=0.0),
        "3-tiles-of-8-detached": _inss("3", tile=8, detached=True),
        "4-tiles-of-8": _inss("4", tile=8),
        "5-detached": _inss("5", detached=True),
        "6-order-1": _inss("6", order=1),
        "7-order-2": _inss("7", order=2),
        "inss": _inss("8"),
        "9-order-4": _inss("9", order=4),
        "10-three-hidden-layers": _inss("10", hidden=(32, 32)),
        "11-16-neurons": _inss("11", hidden=(16,)),
        "12-64-neurons": _inss("12", hidden=(64,)),
    }
)
"""The rows of Table II by number; "two hidden layers" are one of 32 and one of N_g."""

METHODS_COMPARED: Mapping[str, Variant] = MappingProxyType(
    {
        "regression": Variant("regression", trained=False),
        "r2hgan": Variant("r2hgan", published="R2HGAN"),
        "fmnet": Variant("fmnet", published="FMNet"),
        "hsrnet": Variant("hsrnet", published="HSRNet"),
        "hscnn-r": Variant("hscnn-r", published="HSCNN+"),
        "hscnn-d": Variant("hscnn-d"),
        "pdass": Variant("pdass", published="PDASS", library=True),
        "inss": _inss("INSS"),
    }
)
"""The rows of Table I, and two that the paper does not have."""

STARTS: Mapping[str, Variant] = MappingProxyType(
    {
        "inss": _inss(),
        "flat-start": _inss(start="flat"),
        "random-start": _inss(start="random"),
        "order-1-flat-start": _inss(start="flat", order=1),
    }
)
"""Whether the atmosphere of Fig. 6 comes from the images or from where t starts."""

TRAINED: Mapping[str, Mapping[str, Variant]] = MappingProxyType(
    {COMPARED: METHODS_COMPARED, ABLATED: ABLATIONS, STARTED: STARTS}
)
"""Tables whose rows are methods of recovery."""
ROWS: Mapping[str, Iterable[str]] = MappingProxyType(
    {
        **{table: tuple(rows) for table, rows in TRAINED.items()},
        SPANNED: tuple(SPANS),
        PLANTED: tuple(ORDERS),
        EMBEDDED: FEATURES,
        CLASSIFIED: tuple(CLASSIFIERS),
    }
)
"""What each table may have as a row."""
ON_LABELS = (EMBEDDED, CLASSIFIED)
"""Tables whose scenes have classes."""

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "scene": Parameter("str", "planted", "images, or a folder of your own"),
        "profile": Parameter("str", "smoke", "how long the runs are", choices=tuple(PROFILES)),
        "seed": Parameter("int", 0, "random seed", minimum=0),
        "device": Parameter("str", "cpu", "where to train", choices=("cpu", "cuda", "auto")),
    }
)


def settings_of(table: str, method: str, profile: str) -> dict[str, Any]:
    """Return what a row of a table gives its method in a profile.

    Examples
    --------
    >>> settings_of("II", "7-order-2", "paper")
    {'preset': 'paper', 'order': 2}
    """
    variant, plan = TRAINED[table][method], PROFILES[profile]
    length = {"preset": plan.preset, **plan.shorter} if variant.trained else {}
    return {**length, **variant.settings}


def keys(
    scene: str,
    profile: str,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    *,
    table: str = COMPARED,
    condition: str = "",
) -> list[RecordKey]:
    """List the cells of one table for one set of images.

    INSS itself is one cell of Table I, and not trained again where it is a row of another.

    Parameters
    ----------
    scene : str
        Name under which the records are kept.
    profile : str
        A key of :data:`PROFILES`.
    methods : iterable of str, optional
        Rows of the table; all by default.
    seeds : iterable of int, optional
        Those of the profile by default.
    table : str
        A key of :data:`ROWS`.
    condition : str
        One of the table's; all by default.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    for name, known, what in ((profile, PROFILES, "profile"), (table, ROWS, "table")):
        if name not in known:
            raise ParameterError(f"INSS has no {what} {name!r}.", hint=suggest(name, known))
    rows = ROWS[table]
    asked_for = None if methods is None else tuple(methods)
    for method in asked_for or ():
        if method not in rows:
            raise ParameterError(
                f"INSS's table {table} has no method {method!r}.", hint=suggest(method, rows)
            )
    if table == CLASSIFIED:
        return classified_keys(scene, profile, asked_for, seeds, condition)
    conditions = conditions_of(table, scene)
    if condition and condition not in conditions:
        raise ParameterError(
            f"INSS's table {table} has no condition {condition!r}.",
            hint=suggest(condition, conditions),
        )
    chosen = tuple(PROFILES[profile].seeds if seeds is None else seeds)
    found = []
    for method in rows if asked_for is None else asked_for:
        where = COMPARED if method == "inss" else table
        found += [
            RecordKey(PAPER, where, scene, c, method, profile, s)
            for c in ([condition] if condition else conditions)
            for s in chosen
        ]
    return found


def conditions_of(table: str, scene: str) -> tuple[str, ...]:
    """Return what a table has scenes under: colours in, or how many reflections were planted.

    Raises
    ------
    ParameterError
        If the truth of a scene would have to be planted and it is another scene.
    """
    if table != PLANTED:
        return (CONDITION,)
    if scene != PLANTED_SCENE:
        raise ParameterError(
            f"The truth of {scene!r} is not known; table {PLANTED!r} plants its own.",
            next_step=f"scene={PLANTED_SCENE!r}",
        )
    return tuple(PLANTED_ORDERS)


def planned(profile: str, own: Iterable[str] = ()) -> list[RecordKey]:
    """List every cell of the tables, the most telling first.

    Parameters
    ----------
    profile : str
    own : iterable of str
        Folders of one's own, and labelled scenes; the stand-ins always take part.

    Examples
    --------
    >>> str(planned("quick")[0])
    'inss/planted/planted/planted-order=1/order-1 (quick, seed 0)'
    """
    seeds = PROFILES[profile].seeds if profile in PROFILES else ()
    folders = [name for name in own if name not in LABELLED]
    labelled = [*(name for name in own if name in LABELLED), *STANDING_IN]
    found = keys(PLANTED_SCENE, profile, None, seeds[:1], table=PLANTED)  # a minute each
    for scene in (*folders, *STAND_INS):  # takes minutes, and needs no training
        found += keys(scene, profile, None, seeds[:1], table=SPANNED)
    for chosen in (seeds[:1], seeds):
        for table in (*TRAINED, SPANNED):
            for scene in (*folders, *STAND_INS):
                found += keys(scene, profile, None, chosen, table=table)
    for table in ON_LABELS:  # after the networks that they ask
        for scene in labelled:
            found += keys(scene, profile, None, None, table=table)
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
        ``"I"``, which empty text also means, or another key of :data:`ROWS`.
    scene, profile : str
    condition : str
        One of the table's, or empty: all.
    methods, seeds : iterable, optional
        All, and those of the profile, by default.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    return keys(scene, profile, methods, seeds, table=table or COMPARED, condition=condition)


COLLECTIONS = tuple(DATASETS)
"""Sets of images that are no single scene of the catalogue."""


def scenes_here() -> list[str]:
    """Return the paper's labelled scene, if it is here; its six flight lines nobody knows."""
    return labelled_here()
