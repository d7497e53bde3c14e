"""The recorded runs of Tables II-V as one frame, and the sentences that the chapters draw from it.

A sentence here is put together from records and never typed; where runs are missing it says so.
Only runs of one profile are ever compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from hsirepro.metrics import BETTER, PRESETS
from hsirepro.papers.hyconet.compared import Variants, same_seeds
from hsirepro.papers.hyconet.experiments import (
    PAPER,
    PUBLISHED_NAMES,
    SIGMAS,
    TABLE_METHODS,
    TABLES,
    condition_of,
    ratio_of,
    sigma_of,
    table_of,
)
from hsirepro.papers.hyconet.recording import PSF_CORRELATION, RELEASED_SAM
from hsirepro.papers.published import published
from hsirepro.records import RecordStore

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("bicubic", *TABLE_METHODS)
METRICS = (*PRESETS[PAPER].measures, RELEASED_SAM, PSF_CORRELATION)
CELL = ["scene", "sigma", "method"]


def scores(store: RecordStore | None = None, profile: str = "paper") -> pd.DataFrame:
    """Return the metrics of every recorded run of the tables, one row each.

    Parameters
    ----------
    store : RecordStore, optional
    profile : str
        A key of ``PROFILES``; runs of different lengths are not comparable.

    Returns
    -------
    pandas.DataFrame
        Columns ``scene``, ``sigma`` (MSI pixels), ``method``, ``seed``, ``ratio``, and
        :data:`METRICS`, NaN where a record holds none.
    """
    import pandas as pd

    shelf = store or RecordStore()
    rows = [
        {
            "scene": scene,
            "sigma": sigma_of(record.key.condition),
            "method": record.key.method,
            "seed": record.key.seed,
            "ratio": record.settings.get("ratio"),
            **{name: record.metrics.get(name) for name in METRICS},
        }
        for name, table in TABLES.items()
        for scene in (table.dataset, *table.stand_ins)
        for record in shelf.find(paper=PAPER, table=name, scene=scene, profile=profile)
        if not ratio_of(record.key.condition)  # a ratio of the reader's own
    ]
    frame = pd.DataFrame(rows, columns=[*CELL, "seed", "ratio", *METRICS])
    return frame.astype(dict.fromkeys(["sigma", "ratio", *METRICS], float))


def scenes_of(frame: pd.DataFrame) -> list[str]:
    """Return the stand-ins, and those of the paper's own scenes of which there are records."""
    return [
        scene
        for table in TABLES.values()
        for scene in (table.dataset, *table.stand_ins)
        if scene in table.stand_ins or (frame.scene == scene).any()
    ]


def printed(table: str, metric: str = "mPSNR") -> dict[tuple[str, float], float]:
    """Return what the paper prints of one table, by our name of the method and sigma.

    Examples
    --------
    >>> printed("V")["hyconet", 0.5]
    35.2361
    """
    rows = published(PAPER).query("table == @table and metric == @metric")
    values = dict(zip(zip(rows.method, rows.condition, strict=True), rows.value, strict=True))
    cells = {
        (name, sigma): (theirs, f"psf_{condition_of(sigma)}")
        for name, theirs in PUBLISHED_NAMES.items()
        for sigma in SIGMAS
    }
    return {cell: float(values[place]) for cell, place in cells.items() if place in values}


def printed_note() -> str:
    """Say in how many cells of Tables II-V the paper prints HyCoNet as the best.

    Examples
    --------
    >>> printed_note().split(" is printed as ")[1]
    'the best in 12 by mPSNR, in 12 by mSAM and in 9 by ERGAS.'
    """
    counts = []
    for metric in ("mPSNR", "mSAM", "ERGAS"):
        best = max if BETTER[metric] == "higher" else min
        tables = [printed(table, metric) for table in TABLES]
        firsts = [
            best(values[method, sigma] for method in TABLE_METHODS) == values["hyconet", sigma]
            for values in tables
            for sigma in SIGMAS
        ]
        counts.append(f"in {sum(firsts)} by {metric}")
    return (
        f"Of the {len(firsts)} pairs of a scene and a width, HyCoNet is printed as the best "
        f"{', '.join(counts[:-1])} and {counts[-1]}."
    )


def of_cell(
    frame: pd.DataFrame, scene: str, method: str | None = None, sigma: float = 0.5
) -> pd.DataFrame:
    """Return the rows of a scene and width; of one method, if it is named."""
    rows = frame[(frame.scene == scene) & (frame.sigma == sigma)]
    return rows if method is None else rows[rows.method == method]


def verdict_note(frame: pd.DataFrame, scene: str) -> str:
    """Say for every width whether HyCoNet has the highest mPSNR on a scene, and who is next."""
    ahead, behind, open_ = [], [], []
    for sigma in SIGMAS:
        rows = of_cell(frame, scene, sigma=sigma)
        means = rows[rows.method.isin(METHODS)].groupby("method").mPSNR.mean()
        lacking = [method for method in METHODS if method not in means]
        ours, rivals = means.get("hyconet"), means.drop("hyconet", errors="ignore")
        if ours is None or rivals.empty:
            open_.append(f"{sigma:g} (without {', '.join(lacking)})")
            continue
        words = f"{sigma:g} ({ours:.2f} dB; {rivals.idxmax()} {rivals.max():.2f} dB)"
        if rivals.max() >= ours:  # one that is ahead is enough
            behind.append(words)
        elif lacking:
            open_.append(f"{sigma:g} (without {', '.join(lacking)})")
        else:
            ahead.append(words)
    found = [
        f"{start} at sigma {' and '.join(words)}"
        for start, words in (
            ("it has the highest mPSNR", ahead),
            ("another method is ahead of it", behind),
            ("not decidable", open_),
        )
        if words
    ]
    dataset = TABLES[table_of(scene)].dataset
    role = "the paper's own scene" if scene == dataset else f"standing in for {dataset}"
    return f"- **{scene}**, {role}. HyCoNet: {'; '.join(found)}."


def yardsticks_note(frame: pd.DataFrame, scene: str) -> str:
    """Say what HyCoNet's error at sigma 0.5 is against the maximum and the mean of a band."""
    runs = of_cell(frame, scene, "hyconet")
    if runs.empty:
        return f"- **{scene}**: no run of HyCoNet of the paper's length is recorded yet."
    of_maximum = 100 * 10 ** (-runs.mPSNR.mean() / 20)
    of_mean = (runs.ERGAS * runs.ratio).mean()
    return (
        f"- **{scene}**: {of_maximum:.1f} % of a band's maximum, which its brightest pixel sets, "
        f"and {of_mean:.0f} % of a band's mean."
    )


def bf16_note(frame: pd.DataFrame, scene: str) -> str:
    """Say what bf16 changes, seed by seed, and how far seeds of fp32 are apart."""
    full = of_cell(frame, scene, "hyconet").set_index("seed").mPSNR
    short = of_cell(frame, scene, "hyconet-bf16").set_index("seed").mPSNR
    change = (short - full).dropna()
    if change.empty:
        return f"- **{scene}**: not recorded in both precisions."
    gains = ", ".join(f"{gain:+.2f} dB" for gain in change)
    if len(full) > 1:
        other = f"{len(full)} seeds of fp32 are {full.max() - full.min():.2f} dB apart"
    else:
        other = "there is one seed of fp32, so its spread is not known"
    return f"- **{scene}**, sigma 0.5: bf16 changes the mPSNR by {gains}; {other}."


def told(variants: Variants) -> dict[str, dict[str, float]]:
    """Return the mPSNR of every method by what it was told, over the seeds that all have.

    Parameters
    ----------
    variants : mapping of str to list of Record
        Named ``METHOD-OPTION``.
    """
    score: dict[str, dict[str, float]] = {}
    for name, some in same_seeds(variants).items():
        method, _, option = name.rpartition("-")
        if some:
            score.setdefault(method, {})[option] = fmean(run.metrics["mPSNR"] for run in some)
    return score


def lead_note(
    frame: pd.DataFrame,
    scene: str,
    variants: Variants,
    before: str = "assumed",
    after: str = "given",
) -> str:
    """Say how much of HyCoNet's lead at sigma 0.5 goes when baselines are told something better.

    Parameters
    ----------
    frame : pandas.DataFrame
        As :func:`scores` returns it.
    scene : str
    variants : mapping of str to list of Record
        Of a study whose variants are named ``METHOD-OPTION``.
    before, after : str
        The two options to compare.
    """
    ours = of_cell(frame, scene, "hyconet").mPSNR
    score = told(variants)
    least, most = (
        {name: options[one] for name, options in score.items() if one in options}
        for one in (before, after)
    )
    if not most or least.keys() != most.keys():
        return f"- **{scene}**: not decidable, runs are missing."
    gains = ", ".join(f"{name} {most[name] - least[name]:+.2f} dB" for name in most)
    text = f"- **{scene}**: from *{before}* to *{after}*, {gains}."
    if ours.empty:
        return f"{text} No run of HyCoNet of the paper's length is recorded yet."
    best, first = (max(one, key=one.__getitem__) for one in (most, least))
    word = "falls" if most[best] > least[first] else "goes"
    return (
        f"{text} HyCoNet's lead over the best of these {len(most)} {word} from "
        f"{ours.mean() - least[first]:+.2f} dB ({first}) to {ours.mean() - most[best]:+.2f} dB "
        f"({best})."
    )


def nearness_note(scene: str, variants: Variants, options: Sequence[str]) -> str:
    """Say how far methods are from what the paper prints, for each thing they may be told.

    Parameters
    ----------
    scene : str
    variants : mapping of str to list of Record
        Of a study at sigma 0.5 whose variants are named ``METHOD-OPTION``.
    options : sequence of str
        The options to compare.
    """
    theirs = printed(table_of(scene))
    apart = {
        option: [
            abs(ours[option] - theirs[method, 0.5])
            for method, ours in told(variants).items()
            if option in ours
        ]
        for option in options
    }
    if not all(apart.values()):
        return f"- **{scene}**: not decidable, runs are missing."
    words = ", ".join(f"{fmean(gaps):.1f} dB with *{option}*" for option, gaps in apart.items())
    count = len(next(iter(apart.values())))
    return f"- **{scene}**: the {count} are on average apart from the printed mPSNR by {words}."
