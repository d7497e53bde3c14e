"""How each claim of the INSS paper is decided on a set of images.

The checks are those of ``claims.toml``, one function each, in its order. The last two, of
classification and of the mixing models' weights, have no runs yet.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hsirepro.papers.claims import Answer, Decision, Evidence, Verdict, verdicts
from hsirepro.papers.inss.experiments import (
    ABLATED,
    ABLATIONS,
    COMPARED,
    METHODS_COMPARED,
    PAPER,
    STAND_INS,
    keys,
)
from hsirepro.records import RecordKey, RecordStore

BETTER_HIGH = {"RMSE": False, "MRAE": False, "SAM": False, "MSSIM": True, "MPSNR": True}
GASES = (760.0, 940.0, 1130.0)  # nm
NEAR = 20.0  # nm
ALIKE = 0.8  # correlation
LITTLE, MUCH = 0.5, 1.0  # dB
ROBUST = ("1", "2", "3", "4", "5", "10", "11", "12")
NOT_YET = ("inss-abundance-helps-classification", "inss-tsne")
"""Claims that no table of :mod:`~hsirepro.papers.inss.experiments` has runs for so far."""


def decided(store: RecordStore | None = None) -> list[Verdict]:
    """Return the verdict on every claim that can be decided, for both stand-ins."""
    shelf = store or RecordStore()
    asked = {name: (check, STAND_INS) for name, check in DECISIONS.items()}
    return verdicts(PAPER, asked | dict.fromkeys(NOT_YET, (order, ())), shelf)


def _cell(scene: str, method: str, table: str) -> RecordKey:
    return keys(scene, "paper", [method], [0], table=table)[0]


def _ablations(evidence: Evidence, scene: str) -> dict[str, float]:
    """Return the MPSNR of each row of Table II by the paper's number."""
    return {
        str(row.published): evidence.mean(_cell(scene, name, ABLATED), "MPSNR")
        for name, row in ABLATIONS.items()
    }


def best_but_rmse(evidence: Evidence, scene: str) -> Answer:
    """Ask which rank INSS has among the published methods in each metric."""
    rows = [name for name, row in METHODS_COMPARED.items() if row.published]
    ranks = {}
    for metric, high in BETTER_HIGH.items():
        values = {n: evidence.mean(_cell(scene, n, COMPARED), metric) for n in rows}
        ours = values["inss"]
        ranks[metric] = 1 + sum((v > ours) if high else (v < ours) for v in values.values())
    told = ", ".join(f"{metric} {rank}" for metric, rank in ranks.items())
    holds = all(rank <= 1 + (metric == "RMSE") for metric, rank in ranks.items())
    return holds, f"Ranks of INSS of {len(rows)}: {told}."


def order(evidence: Evidence, scene: str) -> Answer:
    """Ask how the orders of the mixing model follow each other."""
    rows = _ablations(evidence, scene)
    one, two, three, four = (rows[n] for n in ("6", "7", "8", "9"))
    told = f"MPSNR of orders 1 to 4: {one:.2f}, {two:.2f}, {three:.2f}, {four:.2f} dB."
    return three >= two > four > one, told


def nonlinear_gain(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the step to the second order is the largest."""
    rows = _ablations(evidence, scene)
    gain = rows["7"] - rows["6"]
    others = {n: abs(v - rows["8"]) for n, v in rows.items() if n not in ("6", "8")}
    largest = max(others, key=lambda n: np.nan_to_num(others[n], nan=-np.inf))
    told = f"From order 1 to 2: {gain:+.2f} dB; largest other step: row {largest}, "
    return gain > MUCH and gain > others[largest], told + f"{others[largest]:.2f} dB."


def robust_settings(evidence: Evidence, scene: str) -> Answer:
    """Ask whether eight rows of Table II are within half a dB of INSS."""
    rows = _ablations(evidence, scene)
    steps = {number: rows[number] - rows["8"] for number in ROBUST}
    told = ", ".join(f"row {n} {step:+.2f}" for n, step in steps.items())
    return all(abs(step) < LITTLE for step in steps.values()), f"Against INSS, dB: {told}."


def atmosphere(evidence: Evidence, scene: str) -> Answer:
    """Ask whether t follows the Sun's light, with dips where gases have theirs."""
    found = evidence.records(_cell(scene, "inss", COMPARED))
    if not found or "irradiance" not in found[0].arrays:
        return False, "nan"
    nm, t, sun = (found[0].arrays[n] for n in ("wavelength", "atmosphere", "irradiance"))
    alike = float(np.corrcoef(t, sun)[0, 1])
    covered = [gas for gas in GASES if np.abs(nm - gas).min() < NEAR]
    dips = [gas for gas in covered if has_minimum(nm, t, gas)]
    told = f"Correlation {alike:.2f}; minima at {len(dips)} of the {len(covered)} gases covered."
    return alike > ALIKE and dips == covered, told


def has_minimum(nm: NDArray[np.float64], curve: NDArray[np.float64], place: float) -> bool:
    """Tell whether a curve has a local minimum within 20 nm of a place.

    Parameters
    ----------
    nm : ndarray, shape (L,)
        In any order: AVIRIS steps back where its spectrometers overlap.
    curve : ndarray, shape (L,)
    place : float
        In nm.

    Examples
    --------
    >>> nm = np.arange(700.0, 820.0, 10.0)
    >>> has_minimum(nm, np.abs(nm - 770.0), 760.0), has_minimum(nm, nm, 760.0)
    (True, False)
    """
    order = np.argsort(nm)
    line, x = curve[order], nm[order]
    inner = (line[1:-1] < line[:-2]) & (line[1:-1] < line[2:])
    return bool((inner & (np.abs(x[1:-1] - place) <= NEAR)).any())


DECISIONS: Mapping[str, Decision] = {
    "inss-best-but-rmse": best_but_rmse,
    "inss-order": order,
    "inss-nonlinear-gain": nonlinear_gain,
    "inss-robust-settings": robust_settings,
    "inss-atmosphere": atmosphere,
}
