"""How each claim of the HyCoNet paper is decided on a scene.

The checks are those of ``claims.toml``, one function each, in its order. Where the paper gives no
threshold, the one there is this project's reading of its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from hsirepro.papers.claims import DECIDING, Answer, Decision, Evidence, Verdict, verdicts
from hsirepro.papers.hyconet.experiments import (
    PAPER,
    SIGMAS,
    TABLE_METHODS,
    TABLES,
    keys,
    table_of,
)
from hsirepro.papers.hyconet.recording import PSF_CORRELATION
from hsirepro.papers.hyconet.studies import (
    ENDMEMBERS,
    GAMMAS,
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
SETTLED = (10.0, 10.0)  # alpha and beta that the paper settles on
SATURATED = 0.25  # share of the gain from 5 to 30 endmembers that may be left beyond 30
ALIKE = 0.95  # correlation of a learned kernel with the true one
SUM_TO_ONE, SPARSE = 0.05, 0.5


def decided(store: RecordStore | None = None) -> list[Verdict]:
    """Return the verdict on every claim for every scene, from the records in ``store``.

    Every claim is asked on its stand-ins, and on those of the paper's own scenes that have records.
    """
    shelf = store or RecordStore()
    own = [
        (name, table.dataset)
        for name, table in TABLES.items()
        if shelf.find(paper=PAPER, scene=table.dataset, profile=DECIDING)
    ]
    asked = {
        claim: (
            decision,
            (*scenes, *(scene for name, scene in own if name in map(table_of, scenes))),
        )
        for claim, (decision, scenes) in DECISIONS.items()
    }
    return verdicts(PAPER, asked, shelf)


def _cell(scene: str, method: str, sigma: float = 0.5) -> RecordKey:
    return keys(table_of(scene), scene, sigma, "paper", [method], [0])[0]


def _variant(study: str, scene: str, name: str) -> RecordKey:
    return study_keys(study, scene, "paper", [name], [0])[0]


def _first(evidence: Evidence, study: str, scene: str, name: str) -> float:
    """Return the mPSNR of seed 0: a study has one seed of most variants, and compares that."""
    key = _variant(study, scene, name)
    scores = evidence.by_seed(key)
    if key.seed not in scores:
        evidence.lack(key)
    return scores.get(key.seed, float("nan"))


def best_psnr(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HyCoNet has the highest mPSNR for every width of the PSF."""
    parts, wins = [], []
    for sigma in SIGMAS:
        runs = evidence.by_seed(_cell(scene, "hyconet", sigma))
        ours = evidence.mean(_cell(scene, "hyconet", sigma))
        others = {name: evidence.mean(_cell(scene, name, sigma)) for name in BASELINES}
        rival = max(others, key=lambda name: np.nan_to_num(others[name], nan=-np.inf))
        if np.isnan(ours) or np.isnan(others[rival]):
            continue
        wins.append(ours > others[rival])
        parts.append(
            f"{ours:.2f} dB (n = {len(runs)}) against {others[rival]:.2f} of {rival} at sigma "
            f"{sigma:g}"
        )
    if not all(wins):
        evidence.settle()  # one width at which another method is ahead is enough
    return all(wins), f"{'; '.join(parts) or 'nan'}."


def stable_in_sigma(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the width matters little to HyCoNet, while most baselines profit from it."""
    cells = [_cell(scene, "hyconet", sigma) for sigma in SIGMAS]
    ours = [evidence.by_seed(cell) for cell in cells]
    common = sorted(set.intersection(*map(set, ours)))
    if not common and all(ours):
        evidence.lack(cells[-1])
    gains = {
        name: evidence.mean(_cell(scene, name, SIGMAS[-1]))
        - evidence.mean(_cell(scene, name, SIGMAS[0]))
        for name in BASELINES
    }
    spans = [float(np.ptp([one[seed] for one in ours])) for seed in common]
    if not spans or np.isnan([*gains.values()]).any():
        return False, "nan"
    profit = sum(gain > 0 for gain in gains.values())
    text = ", ".join(f"{span:.2f}" for span in spans)
    sentence = (
        f"HyCoNet's mPSNR spans {text} dB over the widths, seed by seed; {profit} of {len(gains)} "
        f"baselines are better at sigma {SIGMAS[-1]:g} than at {SIGMAS[0]:g}."
    )
    return max(spans) < STABLE and profit >= PROFITING, sentence


def weights(evidence: Evidence, scene: str) -> Answer:
    """Ask whether alpha = beta = 10 does best, mu matters, and gamma and nu do not."""
    grid = {
        (a, b): _first(evidence, "fig-4a", scene, f"alpha={a:g}+beta={b:g}")
        for a, b in product(WEIGHTS, WEIGHTS)
    }
    alpha, beta = max(grid, key=lambda point: np.nan_to_num(grid[point], nan=-np.inf))
    over_gamma = float(
        np.ptp([_first(evidence, "fig-4b", scene, f"gamma={g:g}") for g in GAMMAS if g > 0])
    )
    penalty = np.array(
        [
            [_first(evidence, "fig-4c", scene, f"mu={m:g}+nu={n:g}") for n in PENALTIES]
            for m in PENALTIES
        ]
    )
    over_mu, over_nu = (float(np.ptp(penalty, axis=axis).mean()) for axis in (0, 1))
    sentence = (
        f"The best point has alpha = {alpha:g}, beta = {beta:g} ({grid[alpha, beta]:.2f} dB). "
        f"mPSNR spans {over_gamma:.2f} dB over gamma from {GAMMAS[1]:g} to {GAMMAS[-1]:g}, and on "
        f"average {over_mu:.2f} dB over mu and {over_nu:.2f} dB over nu."
    )
    matter = over_nu < over_mu and over_gamma < STABLE
    return (alpha, beta) == SETTLED and matter, sentence


def zb_branch(evidence: Evidence, scene: str) -> Answer:
    """Ask whether no other part costs as much when taken away as the branch of Z_b."""
    score = {name: _first(evidence, "fig-5", scene, name) for name in WITHOUT}
    loss = {name: score["full"] - value for name, value in score.items() if name != "full"}
    ours = loss.pop("without-z_b")
    worst = max(loss, key=lambda name: np.nan_to_num(loss[name], nan=-np.inf))
    if loss[worst] >= ours:
        evidence.settle()  # one part that costs more is enough
    sentence = (
        f"Taking away Z_b costs {ours:.2f} dB; next comes {worst.removeprefix('without-')} with "
        f"{loss[worst]:.2f} dB."
    )
    return all(ours > other for other in loss.values()), sentence


def clamp_over_softmax(evidence: Evidence, scene: str) -> Answer:
    """Ask whether a clamp ends at a higher mPSNR than a softmax, seed by seed."""
    clamp = evidence.by_seed(_variant("abundances", scene, "clamp"))
    soft = evidence.by_seed(_variant("abundances", scene, "softmax"))
    gains = [clamp[seed] - soft[seed] for seed in sorted(clamp.keys() & soft.keys())]
    if not gains:
        evidence.lack(_variant("abundances", scene, "softmax"))
    text = ", ".join(f"{gain:+.2f}" for gain in gains) or "nan"
    return bool(gains) and min(gains) > 0, f"Clamp less softmax: {text} dB, seed by seed."


def endmembers_saturate(evidence: Evidence, scene: str) -> Answer:
    """Ask whether more endmembers gain accuracy, and little of it beyond 30."""
    plain = evidence.mean(_cell(scene, "bicubic"))
    enough, many = (_first(evidence, "fig-7", scene, f"p={p}") for p in (30, 100))
    stuck = []
    for few in ENDMEMBERS[: ENDMEMBERS.index(30)]:
        least = _first(evidence, "fig-7", scene, f"p={few}")
        if not least < plain:
            break
        stuck.append(f"p = {few} did not train: it stays below bicubic interpolation. ")
    first, rest = enough - least, many - enough
    sentence = (
        f"{''.join(stuck)}From {few} to 30 endmembers the mPSNR changes by {first:+.2f} dB, from "
        f"30 to 100 by {rest:+.2f} dB."
    )
    return first > 0 and rest < SATURATED * first, sentence


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
    # Of Pavia University the paper says that convergence is slow.
    "hyconet-endmembers-saturate": (
        endmembers_saturate,
        tuple(scene for scene in STUDIES["fig-7"].scenes if table_of(scene) != "II"),
    ),
    "hyconet-psf-recovered": (psf_recovered, STAND_INS),
    "hyconet-abundances-sparse": (abundances_sparse, STAND_INS),
}
