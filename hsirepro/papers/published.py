"""Read what the papers print: the numbers of their tables, and the claims they draw from them.

Both are facts typed off the papers once. They are checked every time they are read, so a slip in
the file stops the book instead of standing in it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsirepro.errors import FormatError, ParameterError, suggest

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
COLUMNS = (
    *("paper", "table", "dataset", "condition", "method"),
    *("metric", "unit", "better", "value", "spread"),
)
# A paper prints a number once: these columns together name it.
NAME = ["table", "dataset", "condition", "method", "metric"]
CLAIM_FIELDS = {"id", "name", "source", "says", "check"}


def papers() -> list[str]:
    """Return the names of the papers whose numbers are here.

    Examples
    --------
    >>> "hyconet" in papers()
    True
    """
    return sorted(file.parent.name for file in FOLDER.glob("*/published.csv"))


def published(paper: str) -> pd.DataFrame:
    """Return the numbers that ``paper`` prints, one row each.

    Parameters
    ----------
    paper : str
        Name of the paper, such as ``"hyconet"``.

    Returns
    -------
    pandas.DataFrame
        Columns ``table``, ``dataset``, ``condition``, ``method``, ``metric``, ``unit``,
        ``better`` (``"higher"`` or ``"lower"``), ``value`` and ``spread`` (NaN where the paper
        prints none), in the order of the file.

    Raises
    ------
    ParameterError
        If there is no such paper.
    FormatError
        If the file is incomplete or contradicts itself.

    Examples
    --------
    >>> rows = published("hyconet").query("table == 'V' and condition == 'psf_sigma=0.5'")
    >>> rows.metric.unique().tolist()
    ['mSAM', 'mPSNR', 'ERGAS']
    """
    return _read_numbers(_file(paper, "published.csv"), paper)


def claims(paper: str) -> list[dict[str, str]]:
    """Return what ``paper`` says its numbers show, each in a form that records can decide.

    Parameters
    ----------
    paper : str
        Name of the paper, such as ``"hyconet"``.

    Returns
    -------
    list of dict
        Per claim: ``id``, ``name`` (a few words), ``source`` (where the paper says it), ``says``
        (in our words) and ``check`` (what has to be true of our records).

    Raises
    ------
    ParameterError
        If there is no such paper.
    FormatError
        If a claim lacks a field, or two share an id.

    Examples
    --------
    >>> [claim["source"] for claim in claims("hyconet") if claim["id"] == "hyconet-psf-recovered"]
    ['Fig. 8']
    """
    return _read_claims(_file(paper, "claims.toml"), paper)


def _file(paper: str, name: str) -> Path:
    if paper not in papers():
        raise ParameterError(f"There is no paper {paper!r}.", next_step=suggest(paper, papers()))
    return FOLDER / paper / name


def _read_numbers(file: Path, paper: str) -> pd.DataFrame:
    # pandas takes a third of a second to import, and `hsirepro --help` has half of one.
    import pandas as pd

    # Words such as "NA" or "none" are names here, so pandas must not read them as missing.
    texts = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tuple(texts.columns) != COLUMNS:
        raise FormatError(
            f"{file.name} of {paper} has the columns {', '.join(texts.columns)}.",
            looked_in=str(file),
            next_step=f"give it {', '.join(COLUMNS)}, in this order",
        )
    # Ratios have no unit, and most numbers are printed without a spread.
    needed = texts.drop(columns=["unit", "spread"])
    _stop(file, texts[(needed == "").any(axis=1)], "has an empty field")
    _stop(file, texts[texts.paper != paper], f"is not of {paper}")
    _stop(file, texts[~texts.better.isin(["higher", "lower"])], "is neither higher nor lower")
    _stop(file, texts[texts.duplicated(NAME)], "is printed twice")
    numbers = texts.drop(columns="paper")
    for column in ("value", "spread"):
        numbers[column] = pd.to_numeric(texts[column], errors="coerce")
        unread = numbers[column].isna() & (texts[column] != "")
        _stop(file, texts[unread], f"has a {column} that is not a number")
    return numbers


def _stop(file: Path, wrong: pd.DataFrame, what: str) -> None:
    """Raise :class:`FormatError` for the first row of ``wrong``, if it has one."""
    if wrong.empty:
        return
    line = int(wrong.index[0]) + 2  # the header is line 1
    raise FormatError(
        f"A row of {file.name} {what}.",
        looked_in=f"{file}, line {line}",
        row=",".join(wrong.iloc[0]),
        next_step="compare it with the paper's table",
    )


def _read_claims(file: Path, paper: str) -> list[dict[str, str]]:
    entries: list[dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8")).get("claim", [])
    seen: set[str] = set()
    for entry in entries:
        name = str(entry.get("id", "without id"))
        if set(entry) != CLAIM_FIELDS or not all(isinstance(v, str) and v for v in entry.values()):
            raise FormatError(
                f"Claim {name!r} has the fields {', '.join(sorted(entry))}.",
                looked_in=str(file),
                next_step=f"give it a text for each of {', '.join(sorted(CLAIM_FIELDS))}",
            )
        if name in seen or not name.startswith(f"{paper}-"):
            raise FormatError(
                f"Claim id {name!r} is used twice or does not start with '{paper}-'.",
                looked_in=str(file),
                next_step="give every claim an id of its own",
            )
        seen.add(name)
    return entries
