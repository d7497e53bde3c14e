"""Which HSI bands each MSI band covers: estimated from responses, or read from a file.

HyCoNet asks for less than a spectral response: for the *coverage*, the first and the last HSI band
that an MSI band sees. An estimated response is jagged where neighbouring bands are alike, since any
of them explains the MSI band as well as the next one. It is therefore smoothed over 30 nm before
the bands below a tenth of its peak are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import FormatError, WavelengthError
from hsirepro.fusion.estimation import FWHM
from hsirepro.papers.hyconet.own_pair.pair import OwnPair

SMOOTHING_NM = 30.0  # full width at half maximum of what smooths the response
SHARE = 0.1  # of the peak; HSI bands with less are not covered
EXPECTED = "a line such as 'green, 533, 590' per MSI band: name, first nm, last nm"

Array = NDArray[np.float64]
Coverage = list[tuple[int, int]]


def estimated_coverage(
    response: Array,
    nm: Array,
    names: Sequence[str],
    *,
    share: float = SHARE,
    smoothing_nm: float = SMOOTHING_NM,
) -> Coverage:
    """Turn estimated responses into the stretch of HSI bands that each MSI band covers.

    Parameters
    ----------
    response : ndarray, shape (l, L)
        Not negative, any scale.
    nm : ndarray, shape (L,)
        Increasing band centres.
    names : sequence of str, length l
        Of the MSI bands.
    share : float
        Of the peak of the smoothed response, below which a band is not covered.
    smoothing_nm : float
        Full width at half maximum of the Gaussian that smooths it.

    Returns
    -------
    list of (int, int)
        First and last band (inclusive, 0-based) of the stretch with the largest weight.

    Raises
    ------
    WavelengthError
        If a response is zero everywhere.

    Examples
    --------
    >>> nm = np.arange(400.0, 500.0, 10.0)
    >>> bell = np.exp(-((nm - 450) / 10) ** 2)
    >>> estimated_coverage(bell[None], nm, ["blue"])
    [(2, 8)]
    """
    check_explained(response.sum(axis=1), names)
    weights = np.exp(-0.5 * ((nm[:, None] - nm) / (smoothing_nm / FWHM)) ** 2)
    smooth = (response @ weights) / weights.sum(axis=1)
    return [_heaviest_stretch(row, share * float(row.max())) for row in smooth]


def coverage_from_file(path: str, pair: OwnPair) -> tuple[tuple[str, ...], Coverage]:
    """Read which wavelengths each MSI band covers, and find the HSI bands in them.

    Parameters
    ----------
    path : str
        Text file with a line ``name, first nm, last nm`` per MSI band, in the order of the MSI;
        empty lines and lines that start with ``#`` do not count.
    pair : OwnPair

    Returns
    -------
    names : tuple of str
    coverage : list of (int, int)
        First and last HSI band (inclusive, 0-based) under each MSI band.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line of it, or it has another number of bands.
    WavelengthError
        If no HSI band lies in one of the ranges.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(
            f"The file of MSI bands {path!r} cannot be read.",
            reason=str(problem),
            expected=EXPECTED,
        ) from problem
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    bands = [_band(path, number, line) for number, line in lines]
    if len(bands) != len(pair.names):
        raise FormatError(
            f"The file of MSI bands {path!r} has {len(bands)} bands, the MSI {len(pair.names)}.",
            expected=EXPECTED,
        )
    nm = pair.hsi.wavelength.values
    coverage = []
    for name, first, last in bands:
        inside = np.flatnonzero((nm >= first) & (nm <= last))
        if not len(inside):
            raise WavelengthError(
                f"MSI band {name!r} covers no band of the HSI.",
                band=f"{first:g} nm to {last:g} nm",
                hsi=f"{len(nm)} bands from {nm[0]:g} nm to {nm[-1]:g} nm",
                next_step="correct the range, or leave the band out of the MSI and of this file",
            )
        coverage.append((int(inside[0]), int(inside[-1])))
    return tuple(name for name, _, _ in bands), coverage


def check_explained(weight: Array, names: Sequence[str]) -> None:
    """Raise :class:`WavelengthError` where the weights of an MSI band, shape (l,), sum to zero."""
    for name, total in zip(names, weight, strict=True):
        if total <= 0:
            raise WavelengthError(
                f"No mixture of HSI bands explains the MSI band {name!r}.",
                reason="the images do not overlap, or the band lies outside the HSI's range",
                next_step="check that both show the same ground, or leave the band out of the MSI",
            )


def _band(path: str, number: int, line: str) -> tuple[str, float, float]:
    """Read one line; a name may hold spaces if commas separate the columns."""
    separator = next((mark for mark in ",;\t" if mark in line), None)
    cells = [cell.strip() for cell in line.split(separator)]
    try:
        name, first, last = cells[0], float(cells[1]), float(cells[2])
        good = len(cells) == 3 and bool(name) and 0 < first < last < np.inf
    except (IndexError, ValueError):
        good = False
    if not good:
        raise FormatError(
            f"Line {number} of the file of MSI bands {path!r} cannot be read.",
            line=line[:80],
            expected=EXPECTED,
        )
    if last < 30:
        raise WavelengthError(
            f"Line {number} of the file of MSI bands {path!r} looks like micrometres.",
            line=line[:80],
            next_step="give the limits in nm (multiply by 1000)",
        )
    return name, first, last


def _heaviest_stretch(row: Array, threshold: float) -> tuple[int, int]:
    """Return the run of bands at or above the threshold that has the largest sum."""
    inside = np.concatenate([[False], row >= threshold, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    sums = [row[first:end].sum() for first, end in edges]
    first, end = edges[int(np.argmax(sums))]
    return int(first), int(end) - 1
