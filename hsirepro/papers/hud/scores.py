"""The recorded runs of HUD's tables as one frame, and the paper's averages done again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hsirepro.papers.hud.experiments import PAPER, TABLE, VARIANTS
from hsirepro.papers.hud.recording import FID, LEVEL
from hsirepro.papers.published import published
from hsirepro.records import Record, RecordStore

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "PointFidelity": ("", "higher"),
    "BlockDiversity": ("", "lower"),
    "DiversityOverFidelity": ("", "lower"),
    FID: ("", "lower"),
    f"{FID} of clusters": ("", "lower"),
    "IS": ("", "higher"),
    "IS of clusters": ("", "higher"),
    "precision": ("", "higher"),
    "precision of clusters": ("", "higher"),
    "recall": ("", "higher"),
    "recall of clusters": ("", "higher"),
}
"""What the tables show: metric, unit, and which values are better."""
METRICS = (*COLUMNS, LEVEL)
AVERAGE = "average"  # the name of the rows that the paper averages its scenes in
ROUNDING = 1e-3  # the most that three printed digits let a printed mean of five be off


def columns_of(records: Iterable[Record]) -> dict[str, tuple[str, str]]:
    """Return those of :data:`COLUMNS` that any of the records has.

    A scene has either classes or clusters, and the names of its metrics say which.
    """
    held = {name for record in records for name in (*record.metrics, *record.arrays)}
    return {name: look for name, look in COLUMNS.items() if name in held}


def scores(store: RecordStore | None = None, profile: str = "quick") -> pd.DataFrame:
    """Return the metrics of every recorded run of the tables, one row each.

    Parameters
    ----------
    store : RecordStore, optional
    profile : str
        A key of ``PROFILES``; runs of different lengths are not comparable.

    Returns
    -------
    pandas.DataFrame
        Columns ``scene``, ``method``, ``seed``, and every metric that a record holds, NaN where
        another does not. Methods in the order of ``VARIANTS``.
    """
    import pandas as pd

    found = (store or RecordStore()).find(paper=PAPER, table=TABLE, profile=profile)
    order = list(VARIANTS)
    rows = [
        {"scene": r.key.scene, "method": r.key.method, "seed": r.key.seed, **r.metrics}
        for r in found
        if r.key.method in order
    ]
    frame = pd.DataFrame(rows, columns=None if rows else ["scene", "method", "seed", *METRICS])
    rank = frame.method.map(order.index) if len(frame) else frame.method
    return frame.assign(rank=rank).sort_values(["scene", "rank", "seed"]).drop(columns="rank")


def printed_averages() -> pd.DataFrame:
    """Return the averages that the paper prints and those of its own rows, where they differ.

    Returns
    -------
    pandas.DataFrame
        Columns ``table``, ``metric``, ``method``, ``printed``, ``of the rows``.

    Examples
    --------
    >>> "UD" in set(printed_averages().method)
    True
    """
    rows = published(PAPER)
    scenes = rows[rows.dataset != AVERAGE]
    own = scenes.groupby(["table", "metric", "method"], sort=False).value.mean()
    printed = rows[rows.dataset == AVERAGE].set_index(["table", "metric", "method"]).value
    both = printed.to_frame("printed").join(own.rename("of the rows")).reset_index()
    # Table I is printed with three digits, the others with two.
    digits = both.table.map({"I": ROUNDING}).fillna(10 * ROUNDING)
    return both[(both.printed - both["of the rows"]).abs() > digits].reset_index(drop=True)
