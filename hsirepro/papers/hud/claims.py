"""How each claim of the HUD paper is decided on a scene.

The checks are those of ``claims.toml``, one function each, in its order.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

import numpy as np

from hsirepro.generation.hud import FLOOR
from hsirepro.papers.claims import DECIDING, Answer, Decision, Evidence, Verdict, verdicts
from hsirepro.papers.hud.experiments import (
    DATASETS,
    PAPER,
    PUBLISHED_NAMES,
    STAND_INS,
    TABLE_METHODS,
    keys,
)
from hsirepro.papers.hud.recording import FID, LEVEL, PROJECTION
from hsirepro.records import RecordKey, RecordStore

RIVALS = tuple(name for name in TABLE_METHODS if name != "hud")


def decided(store: RecordStore | None = None) -> list[Verdict]:
    """Return the verdict on every claim for every scene, from the records in ``store``.

    Every claim is asked on the stand-ins, and on those of the paper's own scenes that have records.
    """
    shelf = store or RecordStore()
    own = [s for s in DATASETS if shelf.find(paper=PAPER, scene=s, profile=DECIDING)]
    scenes = (*STAND_INS, *own)
    return verdicts(PAPER, {claim: (check, scenes) for claim, check in DECISIONS.items()}, shelf)


def _cell(scene: str, method: str) -> RecordKey:
    return keys(scene, "paper", [method], [0])[0]


def _means(evidence: Evidence, scene: str, metric: str) -> dict[str, float]:
    """Return a metric of every row of the tables, averaged over seeds."""
    return {name: evidence.mean(_cell(scene, name), metric) for name in TABLE_METHODS}


def _ahead(means: Mapping[str, float], *, highest: bool) -> Answer:
    """Tell whether HUD has the highest, or lowest, of all; and who comes next."""
    sign = 1.0 if highest else -1.0
    others = {name: sign * means[name] for name in RIVALS}
    rival = max(others, key=lambda name: np.nan_to_num(others[name], nan=-np.inf))
    holds = sign * means["hud"] > others[rival]
    return holds, f"HUD {means['hud']:.4g}, {PUBLISHED_NAMES[rival]} {means[rival]:.4g}."


def best_fidelity(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HUD has the highest point fidelity."""
    return _ahead(_means(evidence, scene, "PointFidelity"), highest=True)


def fidelity_tells(evidence: Evidence, scene: str) -> Answer:
    """Ask whether random mixtures of the endmembers have a lower point fidelity than HUD."""
    runs = {
        name: list(evidence.by_seed(_cell(scene, name), "PointFidelity").values())
        for name in ("hud", "null-mixtures")
    }
    if not all(runs.values()):
        return False, "nan"
    ours, null = (float(np.mean(runs[name])) for name in ("hud", "null-mixtures"))
    spread, seen = 0.0, "one run, spread unknown"
    if len(runs["hud"]) > 1:
        spread = float(np.std(runs["hud"], ddof=1))
        seen = f"± {spread:.4f}, n = {len(runs['hud'])}"
    return ours - null > spread, f"HUD {ours:.4f} ({seen}), random mixtures {null:.4f}."


def best_ratio(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HUD has the lowest ratio of diversity to fidelity."""
    return _ahead(_means(evidence, scene, "DiversityOverFidelity"), highest=False)


def more_diverse(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HUD's tiles are further from real blocks than those of GAN and MPRNet."""
    means = {
        name: evidence.mean(_cell(scene, name), "BlockDiversity")
        for name in ("hud", "wgan-gp", "mprnet")
    }
    others = ", ".join(f"{PUBLISHED_NAMES[n]} {v:.4f}" for n, v in means.items() if n != "hud")
    return means["hud"] < min(
        means["wgan-gp"], means["mprnet"]
    ), f"HUD {means['hud']:.4f}, {others}."


def projection_lossless(evidence: Evidence, scene: str) -> Answer:
    """Ask whether the projection and its way back lose less than exp(-8) of an abundance."""
    lost = evidence.mean(_cell(scene, "hud"), PROJECTION)
    return lost < exp(-FLOOR), f"{lost:.2e} lost at most, the line is at {exp(-FLOOR):.2e}."


def shifted_levels(evidence: Evidence, scene: str) -> Answer:
    """Ask whether UD and UBF, as released, shift the level of the spectra more than HUD does."""
    shifts = {
        name: abs(evidence.mean(_cell(scene, name), LEVEL)) for name in ("hud", "unmixdiff", "ubf")
    }
    text = ", ".join(f"{PUBLISHED_NAMES[name]} {100 * v:.1f} %" for name, v in shifts.items())
    return shifts["hud"] < min(shifts["unmixdiff"], shifts["ubf"]), f"Shift of the mean: {text}."


def best_fid(evidence: Evidence, scene: str) -> Answer:
    """Ask whether HUD has the lowest FID; on clusters where the scene has no classes."""
    known = any(FID in r.metrics for r in evidence.records(_cell(scene, "hud")))
    return _ahead(_means(evidence, scene, FID if known else f"{FID} of clusters"), highest=False)


DECISIONS: Mapping[str, Decision] = {
    "hud-best-fidelity": best_fidelity,
    "hud-fidelity-tells": fidelity_tells,
    "hud-best-ratio": best_ratio,
    "hud-more-diverse": more_diverse,
    "hud-projection-lossless": projection_lossless,
    "hud-shifted-levels": shifted_levels,
    "hud-best-fid": best_fid,
}
