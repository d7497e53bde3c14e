"""How each claim of the INSS paper is decided on a set of images.

The checks are those of ``claims.toml``, one function each, in its order. The last two, of
classification and of the mixing models, are asked on labelled scenes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hsirepro.papers.claims import Answer, Decision, Evidence, Verdict, verdicts
from hsirepro.papers.inss.classification import (
    PUBLISHED,
    SAMPLES,
    SPLITS,
    classified_keys,
)
from hsirepro.papers.inss.embedding import EMBEDDED, FEATURES
from hsirepro.papers.inss.experiments import (
    ABLATED,
    ABLATIONS,
    COMPARED,
    METHODS_COMPARED,
    PAPER,
    STAND_INS,
    keys,
)
from hsirepro.papers.inss.labelled import STANDING_IN
from hsirepro.records import RecordKey, RecordStore

BETTER_HIGH = {"RMSE": False, "MRAE": False, "SAM": False, "MSSIM": True, "MPSNR": True}
GASES = (760.0, 940.0, 1130.0)  # nm
NEAR = 20.0  # nm
ALIKE = 0.8  # correlation
LITTLE, MUCH = 0.5, 1.0  # dB
OWN = "salinas"  # the paper's labelled scene, which few have
ROBUST = ("1", "2", "3", "4", "5", "10", "11", "12")


def decided(store: RecordStore | None = None) -> list[Verdict]:
    """Return the verdict on every claim, for the stand-ins that it is asked on."""
    shelf = store or RecordStore()
    own = (OWN,) if shelf.find(paper=PAPER, scene=OWN) else ()
    labelled = (*own, *STANDING_IN)
    asked = {name: (check, STAND_INS) for name, check in DECISIONS.items()}
    asked |= {name: (check, labelled) for name, check in ON_LABELS.items()}
    return verdicts(PAPER, asked, shelf)


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


def abundances_help(evidence: Evidence, scene: str) -> Answer:
    """Ask whether abundances raise every classifier's overall accuracy at every sample number."""
    gains: dict[str, float] = {}
    for method in PUBLISHED:
        for samples in SAMPLES:
            found = paired_gains(evidence, scene, method, samples)
            gains[f"{method} at {samples}"] = float(np.mean(found)) if found else np.nan
    known = {name: gain for name, gain in gains.items() if not np.isnan(gain)}
    if any(gain <= 0 for gain in known.values()):
        evidence.settle()  # one pair is enough to say that not all do
    if not known:
        return False, "nan"
    worst, best = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    won = sum(gain > 0 for gain in known.values())
    told = (
        f"OA rises in {won} of {len(known)} pairs: from {known[worst]:+.2f} ({worst}) to "
        f"{known[best]:+.2f} points ({best})."
    )
    return won == len(gains), told


def paired_gains(evidence: Evidence, scene: str, method: str, samples: int) -> list[float]:
    """Return OA with minus OA without abundances, split by split; none of fewer than five splits.

    Parameters
    ----------
    evidence : Evidence
        Is told what it lacks.
    scene, method : str
    samples : int
        Per class.
    """
    rows = [
        classified_keys(scene, "paper", [method + added], [0], f"samples={samples}")[0]
        for added in ("", "+abundances")
    ]
    without, with_them = (evidence.by_seed(key, "OA") for key in rows)
    both = sorted(set(without) & set(with_them))
    if len(both) >= SPLITS:
        return [with_them[seed] - without[seed] for seed in both]
    for key in rows:
        evidence.lack(key)
    return []


def classes_together(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the silhouette of the embedded mixing models is above 0."""
    found = {row: evidence.mean(_cell(scene, row, EMBEDDED), "silhouette") for row in FEATURES}
    told = ", ".join(f"{row} {value:.2f}" for row, value in found.items())
    return found["mixing-model"] > 0, f"Silhouette by class of what is embedded: {told}."


DECISIONS: Mapping[str, Decision] = {
    "inss-best-but-rmse": best_but_rmse,
    "inss-order": order,
    "inss-nonlinear-gain": nonlinear_gain,
    "inss-robust-settings": robust_settings,
    "inss-atmosphere": atmosphere,
}
ON_LABELS: Mapping[str, Decision] = {
    "inss-abundance-helps-classification": abundances_help,
    "inss-tsne": classes_together,
}
"""Claims that are asked on labelled scenes."""
