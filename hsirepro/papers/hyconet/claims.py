"""How each claim of the HyCoNet paper is decided on a scene.

The checks are those of ``claims.toml``, one function each, in its order. Where the paper gives no
threshold, the one there is this project's reading of its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from hsirepro.papers.claims import Answer, Decision, Evidence, Verdict, verdicts
from hsirepro.papers.hyconet.experiments import (
    PAPER,
    SIGMAS,
    TABLE_METHODS,
    keys,
    table_of,
)
from hsirepro.papers.hyconet.recording import PSF_CORRELATION
from hsirepro.papers.hyconet.studies import (
    ENDMEMBERS,
    PENALTIES,
    STAND_INS,
    STUDIES,
    WEIGHTS,
    WITHOUT,
    study_keys,
)
from hsirepro.records import RecordKey, RecordStore

BASELINES = TABLE_METHODS[:-1]
STABLE = 1.0  # dB: "similar" accuracy for all widths of the PSF
PROFITING = 7  # of the ten baselines: "most" of them
SATURATED = 0.25  # share of the gain from 5 to 30 endmembers that may be left beyond 30
ALIKE = 0.95  # correlation of a learned kernel with the true one
SUM_TO_ONE, SPARSE = 0.05, 0.5


def decided(store: RecordStore | None = None) -> list[Verdict]:
    """Return the verdict on every claim for every stand-in, from the records in ``store``."""
    return verdicts(PAPER, DECISIONS, store or RecordStore())


def _cell(scene: str, method: str, sigma: float = 0.5) -> RecordKey:
    return keys(table_of(scene), scene, sigma, "paper", [method], [0])[0]


def _variant(study: str, scene: str, name: str) -> RecordKey:
    return study_keys(study, scene, "paper", [name], [0])[0]


def best_psnr(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HyCoNet has the highest mPSNR for every width of the PSF."""
    parts, wins = [], []
    for sigma in SIGMAS:
        ours = evidence.mean(_cell(scene, "hyconet", sigma))
        others = {name: evidence.mean(_cell(scene, name, sigma)) for name in BASELINES}
        rival = max(others, key=lambda name: np.nan_to_num(others[name], nan=-np.inf))
        if np.isnan(ours) or np.isnan(others[rival]):
            continue
        wins.append(ours > others[rival])
        parts.append(f"{ours:.2f} dB against {others[rival]:.2f} of {rival} at sigma {sigma:g}")
    if not all(wins):
        evidence.settle()  # one width at which another method is ahead is enough
    return all(wins), f"{'; '.join(parts) or 'nan'}."


def stable_in_sigma(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the width matters little to HyCoNet, while most baselines profit from it."""
    ours = [evidence.mean(_cell(scene, "hyconet", sigma)) for sigma in SIGMAS]
    gains = {
        name: evidence.mean(_cell(scene, name, SIGMAS[-1]))
        - evidence.mean(_cell(scene, name, SIGMAS[0]))
        for name in BASELINES
    }
    spread, profit = float(np.ptp(ours)), sum(gain > 0 for gain in gains.values())
    if np.isnan([*gains.values()]).any():
        return False, "nan"
    sentence = (
        f"HyCoNet's mPSNR spans {spread:.2f} dB over the widths; {profit} of {len(gains)} "
        f"baselines are better at sigma {SIGMAS[-1]:g} than at {SIGMAS[0]:g}."
    )
    return spread < STABLE and profit >= PROFITING, sentence


def weights(evidence: Evidence, scene: str) -> Answer:
    """Ask whether equal weights of the reconstructions do best, and nu matters less than mu."""
    grid = {
        (a, b): evidence.mean(_variant("fig-4a", scene, f"alpha={a:g}+beta={b:g}"))
        for a, b in product(WEIGHTS, WEIGHTS)
    }
    alpha, beta = max(grid, key=lambda point: np.nan_to_num(grid[point], nan=-np.inf))
    penalty = np.array(
        [
            [evidence.mean(_variant("fig-4c", scene, f"mu={m:g}+nu={n:g}")) for n in PENALTIES]
            for m in PENALTIES
        ]
    )
    over_mu, over_nu = (float(np.ptp(penalty, axis=axis).mean()) for axis in (0, 1))
    sentence = (
        f"The best point has alpha = {alpha:g}, beta = {beta:g} ({grid[alpha, beta]:.2f} dB). "
        f"mPSNR spans {over_mu:.2f} dB over mu and {over_nu:.2f} dB over nu, on average."
    )
    return alpha == beta and over_nu < over_mu, sentence


def zb_branch(evidence: Evidence, scene: str) -> Answer:
    """Ask whether no other part costs as much when taken away as the branch of Z_b."""
    score = {name: evidence.mean(_variant("fig-5", scene, name)) for name in WITHOUT}
    loss = {name: score["full"] - value for name, value in score.items() if name != "full"}
    ours = loss.pop("without-z_b")
    worst = max(loss, key=lambda name: np.nan_to_num(loss[name], nan=-np.inf))
    sentence = (
        f"Taking away Z_b costs {ours:.2f} dB; next comes {worst.removeprefix('without-')} with "
        f"{loss[worst]:.2f} dB."
    )
    return all(ours > other for other in loss.values()), sentence


def clamp_over_softmax(evidence: Evidence, scene: str) -> Answer:
    """Ask whether a clamp ends at a higher mPSNR than a softmax, seed by seed."""
    clamp = {r.key.seed: r for r in evidence.records(_variant("abundances", scene, "clamp"))}
    soft = {r.key.seed: r for r in evidence.records(_variant("abundances", scene, "softmax"))}
    both = sorted(clamp.keys() & soft.keys())
    gains = [clamp[seed].metrics["mPSNR"] - soft[seed].metrics["mPSNR"] for seed in both]
    text = ", ".join(f"{gain:+.2f}" for gain in gains) or "nan"
    return bool(gains) and min(gains) > 0, f"Clamp less softmax: {text} dB, seed by seed."


def endmembers_saturate(evidence: Evidence, scene: str) -> Answer:
    """Ask whether little is left to gain beyond 30 endmembers."""
    few, enough, many = ENDMEMBERS[0], 30, 100
    at = {p: evidence.mean(_variant("fig-7", scene, f"p={p}")) for p in (few, enough, many)}
    first, rest = at[enough] - at[few], at[many] - at[enough]
    sentence = (
        f"From {few} to {enough} endmembers the mPSNR changes by {first:+.2f} dB, from {enough} to "
        f"{many} by {rest:+.2f} dB."
    )
    return rest < SATURATED * first, sentence


def psf_recovered(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the learned kernel correlates with the true one at every width."""
    found = [evidence.mean(_cell(scene, "hyconet", sigma), PSF_CORRELATION) for sigma in SIGMAS]
    text = ", ".join(f"{c:.4f} at {sigma:g}" for c, sigma in zip(found, SIGMAS, strict=True))
    return all(c > ALIKE for c in found), f"Correlation by sigma: {text}."


def abundances_sparse(evidence: Evidence, scene: str) -> Answer:
    """Ask whether most abundances are near zero, and nearly everywhere sum to one."""
    cell = _cell(scene, "hyconet")
    error = evidence.mean_array(cell, "abundance_sum_error")
    share = evidence.mean_array(cell, "abundance_share_below_0.01")
    sentence = (
        f"The median of |1 - sum| is {error:.3f}; {100 * share:.0f} % of the abundances are below "
        "0.01."
    )
    return error < SUM_TO_ONE and share > SPARSE, sentence


DECISIONS: Mapping[str, tuple[Decision, tuple[str, ...]]] = {
    "hyconet-best-psnr": (best_psnr, STAND_INS),
    "hyconet-stable-in-sigma": (stable_in_sigma, STAND_INS),
    "hyconet-weights": (weights, STUDIES["fig-4a"].scenes),
    "hyconet-zb-branch-matters-most": (zb_branch, STUDIES["fig-5"].scenes),
    "hyconet-clamp-over-softmax": (clamp_over_softmax, STUDIES["abundances"].scenes),
    "hyconet-endmembers-saturate": (endmembers_saturate, STUDIES["fig-7"].scenes),
    "hyconet-psf-recovered": (psf_recovered, STAND_INS),
    "hyconet-abundances-sparse": (abundances_sparse, STAND_INS),
}
