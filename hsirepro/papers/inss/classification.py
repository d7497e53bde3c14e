"""Table III as data: whether the abundances that INSS gives help to classify pixels.

Four classifiers see the bands of a scene, eq. 21, or bands and abundances, eq. 22. The paper trains
a further U-Net A for these, eq. 20, which is to give from a hyperspectral image what INSS's own F
gave from the colours that the image was made of. What A is taught is thus a function of colours;
how it is trained is not said. Here F itself is asked, on the colours of the labelled scene.

How many of the 345 maps the paper appends is not said either. Here it is those 32 that have the
largest share of the scene, since most have next to none, and a classifier trained on 50 pixels a
class has little use for 345 more channels; their scale is that of
:mod:`hsirepro.downstream.model`. More channels alone change a classifier, so two rows the paper
lacks have others in place of the abundances, as many: the same maps with their pixels shuffled,
which say nothing, and the three colours again and again, which say all that F was told.

A seed is the number of a split. Splits are drawn at random, as is the custom; the smallest number
of samples is also judged *by place*, where no patch of the test overlaps one of the training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hsirepro.errors import ParameterError, suggest
from hsirepro.records import RecordKey

CLASSIFIED = "III"
SAMPLES = (50, 100, 200)  # per class
APPENDED = 32  # maps
LEAST = 10  # pixels of a class that must be left for the test
NETWORK_SEED = 0  # of the network that gives abundances
PATCH = 9  # of the largest classifier: all are judged on the same pixels by place
SPLITS = 5

Added = Literal["", "abundances", "shuffled", "colours"]


@dataclass(frozen=True)
class Row:
    """A classifier, what it sees beside the bands, and the paper's name of it."""

    method: str
    added: Added = ""
    published: str | None = None


PUBLISHED = {
    "cnn2d": "2D-CNN",
    "hamida": "3D-CNN (Hamida)",
    "lee": "3D-FCN (Lee)",
    "he": "Multi-scale 3D-CNN (He)",
}
NULLS: Mapping[str, Row] = MappingProxyType(
    {f"cnn2d+{added}": Row("cnn2d", added) for added in ("shuffled", "colours")}
)
CLASSIFIERS: Mapping[str, Row] = MappingProxyType(
    {
        name + ("+abundances" if added else ""): Row(name, added, PUBLISHED[name])
        for name in PUBLISHED
        for added in ("", "abundances")
    }
    | dict(NULLS)
)
"""The rows of Table III, and two that the paper lacks."""
CONDITIONS = (*(f"samples={n}" for n in SAMPLES), f"samples={SAMPLES[0]},by-place")


@dataclass(frozen=True)
class Length:
    """How long a profile trains and how much it judges.

    Parameters
    ----------
    preset : str
        Of every classifier.
    patches : mapping of str to int
        Patches that a method is shown in all, in place of the preset's epochs; empty for these.
    judged : int, optional
        Test pixels that are judged, drawn at random; all by default.
    splits : int
    """

    preset: str
    patches: Mapping[str, int]
    judged: int | None
    splits: int


LENGTHS: Mapping[str, Length] = MappingProxyType(
    {
        "smoke": Length("small", dict.fromkeys(PUBLISHED, 1000), 300, 1),
        "quick": Length(
            "small", {"cnn2d": 8000, "hamida": 5000, "lee": 10_000, "he": 3000}, 2000, SPLITS
        ),
        "paper": Length("paper", {}, None, SPLITS),
    }
)


def classified_keys(
    scene: str,
    profile: str,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    condition: str = "",
) -> list[RecordKey]:
    """List the cells of Table III of one scene.

    Parameters
    ----------
    scene, profile : str
    methods : iterable of str, optional
        Rows; by default all, and the two that the paper lacks for the smallest number of samples.
    seeds : iterable of int, optional
        Numbers of splits; those of the profile by default.
    condition : str
        One of :data:`CONDITIONS`; all by default.

    Raises
    ------
    ParameterError
        If there is no such condition.
    """
    if condition and condition not in CONDITIONS:
        raise ParameterError(
            f"INSS's table {CLASSIFIED} has no condition {condition!r}.",
            hint=suggest(condition, CONDITIONS),
        )
    fewest = CONDITIONS[0]
    numbers = tuple(range(LENGTHS[profile].splits) if seeds is None else seeds)
    asked = None if methods is None else tuple(methods)
    return [
        RecordKey("inss", CLASSIFIED, scene, place, method, profile, number)
        for place in ((condition,) if condition else CONDITIONS)
        for method in (CLASSIFIERS if asked is None else asked)
        if asked is not None
        or method not in NULLS
        or place.startswith(fewest + ",")
        or place == fewest
        for number in numbers
    ]


def condition_of(condition: str) -> tuple[int, bool]:
    """Return the samples per class of a condition, and whether its splits are by place.

    Examples
    --------
    >>> condition_of("samples=50,by-place")
    (50, True)
    """
    samples, _, place = condition.removeprefix("samples=").partition(",")
    return int(samples), place == "by-place"


def printed_accuracies() -> dict[tuple[str, str], float]:
    """Return the overall accuracies in % that the paper prints, by our condition and row.

    Examples
    --------
    >>> printed_accuracies()["samples=50", "he+abundances"]
    94.451
    """
    from hsirepro.papers.published import published

    table = published("inss").query("table == @CLASSIFIED and metric == 'OA'")
    numbered = zip(table.condition, table.method, table.value.to_numpy(float), strict=True)
    values = {(condition, method): float(value) for condition, method, value in numbered}
    return {
        (condition, name): values[
            f"samples_per_class={condition_of(condition)[0]}, "
            f"abundance={'with' if row.added else 'without'}",
            row.published,
        ]
        for condition in CONDITIONS
        if not condition_of(condition)[1]
        for name, row in CLASSIFIERS.items()
        if row.published
    }


def row_labels() -> dict[str, str]:
    """Return what tables call each row of ours."""
    return {
        name: (PUBLISHED[row.method] + (f" + {row.added}" if row.added else ""))
        for name, row in CLASSIFIERS.items()
    }
