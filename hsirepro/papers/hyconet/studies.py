"""HyCoNet's figures, and what its text and its code disagree on, as data.

A study is a set of variants run on the same scene, one record each, kept under the name of the
study where a table would stand. A variant that changes nothing is a row of the tables already and
is not run twice, unless the profile makes the runs of a study shorter than those of the tables.

The paper prints neither the grid of Fig. 4 nor the numbers of endmembers of Fig. 7: the values
here are this project's choice, around those that the paper settles on. As there (section IV-C),
alpha and beta are varied while the other three weights are 1; of gamma, mu and nu the paper does
not say what the others were, and here they are those that it settles on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import product
from types import MappingProxyType

from hsirepro.errors import ParameterError, suggest
from hsirepro.papers.hyconet.experiments import (
    PAPER,
    PROFILES,
    TABLES,
    VARIANTS,
    Variant,
    condition_of,
    keys,
    table_of,
)
from hsirepro.records import RecordKey


@dataclass(frozen=True)
class Study:
    """Variants to be compared on one scene.

    Parameters
    ----------
    title : str
        What is varied, and where the paper speaks of it.
    variants : mapping of str to Variant
        Rows; one that equals a row of the tables is taken from there.
    scenes : tuple of str
        Stand-ins on which it is recorded.
    seeds : int
        How many of the profile's seeds are run.
    """

    title: str
    variants: Mapping[str, Variant]
    scenes: tuple[str, ...]
    seeds: int = 1


WEIGHTS = (0.1, 1.0, 10.0, 100.0)  # alpha and beta
GAMMAS = (0.0, 1.0, 10.0, 100.0, 1000.0)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # mu and nu
ENDMEMBERS = (5, 10, 20, 30, 50, 100, 150)
WITHOUT: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "full": {},
        "without-z_a": {"weight_za": 0.0},
        "without-z_b": {"alpha": 0.0},
        "without-y": {"beta": 0.0},
        "without-lr_msi": {"gamma": 0.0},
        "without-sum-to-one": {"mu": 0.0},
        "without-sparsity": {"nu": 0.0},
    }
)
RELEASED = ("paper", "release-2021", "release-2022")  # presets: the text, and the code twice
# Baselines that take a point spread, and a response, as given; uSDN does too, and takes minutes.
TOLD = ("cnmf", "fuse", "g-somp", "lanaras")
TOLD_RESPONSE = (*TOLD, "hysure")
RESPONSES = ("hysure", "covered", "estimated", "given")  # of ``estimation.py``, the default first
PAVIA, HOUSTON = "pavia-centre-crop", "houston-2018-crop"
# 48 x 48 pixels: small enough that whole grids of the paper's run length fit a CPU.
SMALL = "pavia-university-crop"
DRAWN = (PAVIA, "jasper-ridge", "hydice-urban-crop", HOUSTON)  # a crop for each of Figs. 10-13
STAND_INS = tuple(scene for table in TABLES.values() for scene in table.stand_ins)


def _paper(**settings: object) -> Variant:
    return Variant("hyconet", {"preset": "paper", **settings}, random=True)


def _grid(
    axes: Mapping[str, Iterable[float]], others: Mapping[str, float] | None = None
) -> Mapping[str, Variant]:
    """Return a variant for every point of a grid over settings of HyCoNet, named by its values."""
    points = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return MappingProxyType(
        {
            "+".join(f"{k}={v:g}" for k, v in point.items()): _paper(**point, **(others or {}))
            for point in points
        }
    )


def _told(method: str, **settings: object) -> Variant:
    return Variant(method, settings, VARIANTS[method].random)


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "presets": Study(
            "the paper's text and the two released states of its code",
            MappingProxyType(
                {name: Variant("hyconet", {"preset": name}, random=True) for name in RELEASED}
            ),
            (SMALL, PAVIA, HOUSTON),
            seeds=3,
        ),
        "fig-4a": Study(
            "weights of |Z - Z_b| and |Y - Y^|, the three others at 1",
            _grid({"alpha": WEIGHTS, "beta": WEIGHTS}, {"gamma": 1.0, "mu": 1.0, "nu": 1.0}),
            (SMALL, PAVIA),
        ),
        "fig-4b": Study("weight of |SRF(Z) - PSF(Y)|", _grid({"gamma": GAMMAS}), (SMALL, PAVIA)),
        "fig-4c": Study(
            "weights of sum-to-one and sparsity",
            _grid({"mu": PENALTIES, "nu": PENALTIES}),
            (SMALL, PAVIA),
        ),
        "fig-5": Study(
            "parts of the network and of the loss, taken away one at a time",
            MappingProxyType({name: _paper(**off) for name, off in WITHOUT.items()}),
            (SMALL, PAVIA),
        ),
        "abundances": Study(
            "clamp against softmax (Fig. 6), and the released ReLU",
            MappingProxyType(
                {name: _paper(abundance=name) for name in ("clamp", "softmax", "relu")}
            ),
            (SMALL, PAVIA, HOUSTON),
            seeds=3,
        ),
        "fig-7": Study(
            "number of endmembers",
            MappingProxyType({f"p={p}": _paper(endmembers=p) for p in ENDMEMBERS}),
            (SMALL, PAVIA, "jasper-ridge", "hydice-urban-crop", HOUSTON),
            seeds=3,
        ),
        "response": Study(
            "spectral response learned, as the paper says, or known, as the released command",
            MappingProxyType({name: _paper(response=name) for name in ("learned", "known")}),
            (SMALL, PAVIA, HOUSTON),
            seeds=3,
        ),
        "sparsity": Study(
            "eq. 18 on the abundances, on their softmax as released, and left out",
            MappingProxyType(
                {
                    "bernoulli": _paper(),
                    "softmax": _paper(sparsity="softmax"),
                    "none": _paper(nu=0.0),
                }
            ),
            (SMALL, PAVIA),
            seeds=3,
        ),
        "mismatch": Study(
            "what the baselines are told of the point spread",
            MappingProxyType(
                {
                    **{f"{name}-assumed": _told(name) for name in TOLD},
                    **{f"{name}-review": _told(name, spread="review") for name in TOLD},
                    **{f"{name}-given": _told(name, spread="given") for name in TOLD},
                }
            ),
            STAND_INS,
        ),
        "estimators": Study(
            "what the baselines are told of the spectral response",
            MappingProxyType(
                {
                    f"{name}-{response}": _told(name, response=response)
                    for response in RESPONSES
                    for name in TOLD_RESPONSE
                }
            ),
            STAND_INS,
        ),
    }
)


def variant_of(key: RecordKey) -> Variant:
    """Return what a record's key says was run.

    Raises
    ------
    ParameterError
        If its table or method is unknown.
    """
    return _variants(key.table)[known("method", key.method, _variants(key.table))]


def plan_of(key: RecordKey) -> str:
    """Return the table whose ratio and MSI bands a key uses: of its scene, in a study."""
    return key.table if key.table in TABLES else table_of(key.scene)


def study_keys(
    study: str,
    scene: str,
    profile: str,
    variants: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    sigma: float = 0.5,
    ratio: int = 0,
) -> list[RecordKey]:
    """List the cells of one study; those that the tables hold are named as there.

    Parameters
    ----------
    study : str
        A key of :data:`STUDIES`.
    scene : str
        Name under which the records are kept.
    profile : str
        A key of ``PROFILES``.
    variants : iterable of str, optional
        All by default.
    seeds : iterable of int, optional
        As many of the profile's as the study asks for by default.
    sigma : float
        Width of the Gaussian point spread, MSI pixels.
    ratio : int
        A ratio that is not the table's, or 0.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.

    Examples
    --------
    >>> [str(key) for key in study_keys("response", "pavia-centre-crop", "paper", seeds=[0])]
    ['hyconet/II/pavia-centre-crop/sigma=0.5/hyconet (paper, seed 0)',
     'hyconet/response/pavia-centre-crop/sigma=0.5/known (paper, seed 0)']
    """
    entry = STUDIES[known("study", study, STUDIES)]
    planned = PROFILES[known("profile", profile, PROFILES)].seeds
    chosen = tuple(planned[: entry.seeds] if seeds is None else seeds)
    found = []
    for name in entry.variants if variants is None else variants:
        variant = entry.variants[known("variant", name, entry.variants)]
        row = _row_of(study, name)
        if row is not None and PROFILES[profile].in_study is None:
            found += keys(table_of(scene), scene, sigma, profile, [row], chosen, ratio)
            continue
        condition = condition_of(sigma, ratio)
        for seed in chosen if variant.random else chosen[:1]:
            found.append(RecordKey(PAPER, study, scene, condition, name, profile, seed))
    return found


def cells(
    table: str,
    scene: str,
    sigma: float,
    profile: str,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    ratio: int = 0,
) -> list[RecordKey]:
    """List the cells of a table or of a study; all methods or variants by default.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    known("table or study", table, [*TABLES, *STUDIES])
    if table in STUDIES:
        return study_keys(table, scene, profile, methods, seeds, sigma, ratio)
    return keys(table, scene, sigma, profile, methods or VARIANTS, seeds, ratio)


@cache
def _row_of(study: str, name: str) -> str | None:
    """Return the row of the tables that a variant is, if it is one."""
    variant = STUDIES[study].variants[name]
    return next((row for row, same in VARIANTS.items() if _alike(same, variant)), None)


def _alike(row: Variant, variant: Variant) -> bool:
    """Tell whether two variants run the same, settings at their defaults left out."""
    return row.method == variant.method and _changes(row) == _changes(variant)


def _changes(variant: Variant) -> dict[str, object]:
    if variant.method != "hyconet":
        from hsirepro.fusion import METHODS

        taken = signature(METHODS[variant.method]).parameters
        return {k: v for k, v in variant.settings.items() if v != taken[k].default}
    from hsirepro.fusion.hyconet_presets import configure

    settings = dict(variant.settings)
    return vars(configure(str(settings.pop("preset")), **settings))


def _variants(table: str) -> Mapping[str, Variant]:
    if table in TABLES:
        return VARIANTS
    return STUDIES[known("table or study", table, [*TABLES, *STUDIES])].variants


def known(kind: str, name: str, options: Iterable[str]) -> str:
    """Return ``name`` if it is among ``options``, or raise ParameterError with the nearest."""
    if name not in options:
        raise ParameterError(f"HyCoNet has no {kind} {name!r}.", hint=suggest(name, options))
    return name
