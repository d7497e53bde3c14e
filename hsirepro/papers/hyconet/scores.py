"""The recorded runs of Tables II-V as one frame, and the sentences that the chapters draw from it.

A sentence here is put together from records and never typed; where runs are missing it says so.
Only runs of one profile are ever compared with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsirepro.metrics import PRESETS
from hsirepro.papers.hyconet.compared import Variants
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
    """Return the metrics of every recorded run of the tables on the stand-ins, one row each.

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
        for scene in table.stand_ins
        for record in shelf.find(paper=PAPER, table=name, scene=scene, profile=profile)
        if not ratio_of(record.key.condition)  # a ratio of the reader's own
    ]
    frame = pd.DataFrame(rows, columns=[*CELL, "seed", "ratio", *METRICS])
    return frame.astype(dict.fromkeys(["sigma", "ratio", *METRICS], float))


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


def of_cell(
    frame: pd.DataFrame, scene: str, method: str | None = None, sigma: float = 0.5
) -> pd.DataFrame:
    """Return the rows of a scene and width; of one method, if it is named."""
    rows = frame[(frame.scene == scene) & (frame.sigma == sigma)]
    return rows if method is None else rows[rows.method == method]


def verdict_note(frame: pd.DataFrame, scene: str) -> str:
    """Say who has the highest mPSNR on a crop at sigma 0.5, and how far ahead."""
    rows = of_cell(frame, scene)
    means = rows[rows.method.isin(METHODS)].groupby("method").mPSNR.mean()
    head = f"- **{scene}**, standing in for {TABLES[table_of(scene)].dataset}"
    if len(means) < 2:
        return f"{head}: not decidable, nothing to compare is recorded."
    (first, best), (second, next_best) = means.nlargest(2).items()
    ahead = f"{first} has {best:.2f} dB, {second} {next_best:.2f} dB"
    lacking = [method for method in METHODS if method not in means]
    if lacking:
        return f"{head}: without {', '.join(lacking)}, {ahead}."
    word = "holds" if first == "hyconet" else "fails"
    return f"{head}: that HyCoNet has the highest mPSNR *{word}*. {ahead}."


def yardsticks_note(frame: pd.DataFrame, scene: str) -> str:
    """Say what HyCoNet's error is against the maximum and the mean of a band."""
    runs = of_cell(frame, scene, "hyconet")
    if runs.empty:
        return f"- **{scene}**: no record of hyconet, so no error to look at."
    of_maximum = 100 * 10 ** (-runs.mPSNR.mean() / 20)
    of_mean = (runs.ERGAS * runs.ratio).mean()
    return (
        f"- **{scene}**: mPSNR and ERGAS weigh the same errors of HyCoNet with two yardsticks. "
        f"They are {of_maximum:.1f} % of a band's maximum, which its brightest pixel sets, and "
        f"{of_mean:.0f} % of a band's mean. So a high mPSNR beside a large spectral angle is no "
        "contradiction."
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
    return f"- **{scene}**: bf16 changes the mPSNR by {gains}; {other}."


def lead_note(frame: pd.DataFrame, scene: str, variants: Variants) -> str:
    """Say how much of HyCoNet's lead goes when baselines are told the true point spread.

    Parameters
    ----------
    frame : pandas.DataFrame
        As :func:`scores` returns it.
    scene : str
    variants : mapping of str to list of Record
        Of the study ``mismatch``.
    """
    ours = of_cell(frame, scene, "hyconet").mPSNR
    if ours.empty or not all(variants.values()):
        return f"- **{scene}**: not decidable, runs are missing."
    score = {
        name: sum(run.metrics["mPSNR"] for run in some) / len(some)
        for name, some in variants.items()
    }
    told = [name.removesuffix("-given") for name in score if name.endswith("-given")]
    given = {name: score[f"{name}-given"] for name in told}
    before = {name: score[f"{name}-assumed"] for name in told}
    gains = ", ".join(f"{name} {given[name] - before[name]:+.2f} dB" for name in told)
    best = max(given, key=given.__getitem__)
    return (
        f"- **{scene}**: told the true PSF, {gains}. HyCoNet's lead over the best of them, {best}, "
        f"is {ours.mean() - given[best]:+.2f} dB; before, it was "
        f"{ours.mean() - max(before.values()):+.2f} dB over the best."
    )
