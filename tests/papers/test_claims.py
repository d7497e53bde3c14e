"""Claims are decided by records, and by nothing else."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

from hsirepro.papers.claims import decide
from hsirepro.papers.hyconet import SIGMAS, TABLE_METHODS, keys, study_keys
from hsirepro.papers.hyconet.claims import DECISIONS, decided
from hsirepro.papers.hyconet.studies import ENDMEMBERS, GAMMAS, PENALTIES, WEIGHTS, WITHOUT
from hsirepro.papers.published import claims
from hsirepro.records import Record, RecordKey, RecordStore

SCENE, HOUSTON = "pavia-centre-crop", "houston-2018-crop"


class Shelf(RecordStore):
    """A store that is filled by hand."""

    def put(self, key: RecordKey, psnr: float, *, arrays=None, **metrics: float) -> None:
        metrics = {"mPSNR": psnr, **{name.replace("_", " "): v for name, v in metrics.items()}}
        self.write(Record(key, metrics, arrays=arrays or {}))

    def word(self, claim: str, scene: str = SCENE):
        return decide(claim, scene, DECISIONS[claim][0], self)


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path)


def cell(method: str, sigma: float = 0.5, profile: str = "paper", seed: int = 0) -> RecordKey:
    return keys("II", SCENE, sigma, profile, [method], [seed])[0]


def variant(study: str, name: str, seed: int = 0) -> RecordKey:
    return study_keys(study, SCENE, "paper", [name], [seed])[0]


def test_every_claim_of_the_paper_has_a_decision():
    """No claim is left out, and none is decided that the paper does not make."""
    assert set(DECISIONS) == {claim["id"] for claim in claims("hyconet")}


def test_without_records_nothing_is_decided(shelf):
    """An empty store leaves every claim open, and every verdict says what would decide it."""
    found = decided(shelf)
    assert {v.word for v in found} == {"undecided"}
    assert all(v.missing and "missing" in v.evidence for v in found)


def fill_tables(shelf: Shelf, ours: float, wide: float = 0.0, profile: str = "paper") -> None:
    for sigma in SIGMAS:
        for number, method in enumerate(TABLE_METHODS[:-1]):
            shelf.put(cell(method, sigma, profile), 20.0 + number + wide * sigma)
        shelf.put(cell("hyconet", sigma, profile), ours)


def test_best_psnr(shelf):
    """HyCoNet has to be ahead at every width."""
    fill_tables(shelf, ours=40.0)
    verdict = shelf.word("hyconet-best-psnr")
    assert verdict.word == "holds"
    assert "40.00 dB (n = 1) against 29.00 of usdn at sigma 0.5" in verdict.evidence


def test_one_better_method_is_enough_to_fail(shelf):
    """A counter-example decides the claim although other runs are missing."""
    shelf.put(cell("hyconet"), 30.0)
    shelf.put(cell("gsa"), 31.0)
    verdict = shelf.word("hyconet-best-psnr")
    assert verdict.word == "fails"
    assert not verdict.missing


def test_quick_runs_only_hint(shelf):
    """Shorter runs than the paper's never decide; they are named with their profile."""
    fill_tables(shelf, ours=40.0, profile="quick")
    verdict = shelf.word("hyconet-best-psnr")
    assert verdict.word == "undecided"
    assert "In runs of profile quick it holds: 40.00 dB" in verdict.evidence
    assert cell("hyconet") in verdict.missing


@pytest.mark.parametrize(("wide", "word"), [(1.0, "holds"), (-1.0, "fails")])
def test_stable_in_sigma(shelf, wide, word):
    """HyCoNet stays and most baselines profit from a wide PSF, or they do not."""
    fill_tables(shelf, ours=40.0, wide=wide)
    assert shelf.word("hyconet-stable-in-sigma").word == word


def test_unstable_network_fails(shelf):
    """A span of more than 1 dB over the widths is not "similar"."""
    fill_tables(shelf, ours=40.0, wide=1.0)
    shelf.put(cell("hyconet", 2.0), 38.5)
    verdict = shelf.word("hyconet-stable-in-sigma")
    assert (verdict.word, "spans 1.50 dB" in verdict.evidence) == ("fails", True)


@pytest.mark.parametrize(
    ("best", "mu", "gamma", "word"),
    [
        ((10.0, 10.0), 2.0, 0.1, "holds"),
        ((0.1, 0.1), 2.0, 0.1, "fails"),
        ((0.1, 1.0), 2.0, 0.1, "fails"),
        ((10.0, 10.0), 0.1, 0.1, "fails"),
        ((10.0, 10.0), 2.0, 0.6, "fails"),
    ],
)
def test_weights(shelf, best, mu, gamma, word):
    """The best point is the one the paper settles on, mu matters, and gamma and nu do not."""
    for a, b in product(WEIGHTS, WEIGHTS):
        shelf.put(variant("fig-4a", f"alpha={a:g}+beta={b:g}"), 30.0 + ((a, b) == best))
    shelf.put(cell("hyconet"), 30.0)
    for i, g in enumerate(GAMMAS):
        key = variant("fig-4b", f"gamma={g:g}")
        if key.table == "fig-4b":  # without the term it may be as bad as it likes
            shelf.put(key, 30.0 + gamma * (i - 3) if g else 10.0)
    for i, m in enumerate(PENALTIES):
        for j, n in enumerate(PENALTIES):
            key = variant("fig-4c", f"mu={m:g}+nu={n:g}")
            if key.table == "fig-4c":
                shelf.put(key, 30.0 + mu * (i - 1) + 0.5 * (j - 1))
    assert shelf.word("hyconet-weights").word == word


@pytest.mark.parametrize(("lowest", "word"), [("without-z_b", "holds"), ("without-y", "fails")])
def test_branch_that_matters_most(shelf, lowest, word):
    """Whatever costs most when taken away is named."""
    for name in WITHOUT:
        shelf.put(variant("fig-5", name), 20.0 if name == lowest else 38.0 + (name == "full"))
    verdict = shelf.word("hyconet-zb-branch-matters-most")
    assert verdict.word == word
    assert "Taking away Z_b costs" in verdict.evidence


@pytest.mark.parametrize(("gains", "word"), [((1.0, 0.5), "holds"), ((1.0, -0.1), "fails")])
def test_clamp_over_softmax(shelf, gains, word):
    """Every seed has to agree."""
    for seed, gain in enumerate(gains):
        shelf.put(variant("abundances", "clamp", seed), 30.0 + gain)
        shelf.put(variant("abundances", "softmax", seed), 30.0)
    assert shelf.word("hyconet-clamp-over-softmax").word == word


@pytest.mark.parametrize(
    ("few", "rest", "word"), [(30.0, 0.5, "holds"), (30.0, 3.0, "fails"), (38.0, -1.0, "fails")]
)
def test_endmembers_saturate(shelf, few, rest, word):
    """Up to 30 endmembers something is gained, and beyond less than a quarter of that."""
    for p, value in {ENDMEMBERS[0]: few, 30: 36.0, 100: 36.0 + rest}.items():
        shelf.put(saturation(p), value)
    shelf.put(saturation("bicubic"), 20.0)
    assert shelf.word("hyconet-endmembers-saturate", HOUSTON).word == word


def test_a_run_that_did_not_train_is_no_start(shelf):
    """Below bicubic interpolation nothing was learned: the gain is counted from the next p."""
    for p, value in {ENDMEMBERS[0]: 12.0, ENDMEMBERS[1]: 35.0, 30: 36.0, 100: 37.0}.items():
        shelf.put(saturation(p), value)
    shelf.put(saturation("bicubic"), 20.0)
    verdict = shelf.word("hyconet-endmembers-saturate", HOUSTON)
    assert verdict.word == "fails"
    assert "p = 5 did not train" in verdict.evidence
    assert "From 10 to 30 endmembers the mPSNR changes by +1.00 dB" in verdict.evidence


def saturation(what: int | str) -> RecordKey:
    if what == "bicubic":
        return keys("V", HOUSTON, 0.5, "paper", ["bicubic"], [0])[0]
    return study_keys("fig-7", HOUSTON, "paper", [f"p={what}"], [0])[0]


def test_without_the_number_a_run_is_missing(shelf):
    """A record that does not hold what is asked for decides nothing, and neither do odd seeds."""
    for sigma in SIGMAS:
        shelf.put(cell("hyconet", sigma), 30.0)
    for claim in ("hyconet-psf-recovered", "hyconet-abundances-sparse"):
        assert shelf.word(claim).word == "undecided"
    shelf.put(variant("abundances", "softmax", 1), 20.0)
    verdict = shelf.word("hyconet-clamp-over-softmax")
    assert (verdict.word, len(verdict.missing)) == ("undecided", 1)


def test_a_part_that_costs_more_decides_early(shelf):
    """One counter-example is enough, whatever else is missing."""
    for name, psnr in (("full", 40.0), ("without-z_b", 39.0), ("without-y", 30.0)):
        shelf.put(variant("fig-5", name), psnr)
    assert shelf.word("hyconet-zb-branch-matters-most").word == "fails"


def test_a_scene_of_the_paper_is_asked_once_it_is_recorded(shelf):
    """Whoever has the paper's own scene finds it among the verdicts."""
    assert "houston-2018" not in {v.scene for v in decided(shelf)}
    (key,) = keys("V", "houston-2018", 0.5, "paper", ["gsa"], [0])
    shelf.put(key, 31.0)
    asked = {v.claim for v in decided(shelf) if v.scene == "houston-2018"}
    assert {"hyconet-best-psnr", "hyconet-endmembers-saturate"} <= asked


@pytest.mark.parametrize(("worst", "word"), [(0.96, "holds"), (0.9, "fails")])
def test_psf_recovered(shelf, worst, word):
    """The kernel has to be found at each of the three widths."""
    for sigma in SIGMAS:
        found = {"PSF_correlation": worst if sigma == 1.0 else 0.999}
        shelf.put(cell("hyconet", sigma), 30.0, **found)
    assert shelf.word("hyconet-psf-recovered").word == word


@pytest.mark.parametrize(
    ("error", "share", "word"), [(0.01, 0.9, "holds"), (0.5, 0.9, "fails"), (0.01, 0.2, "fails")]
)
def test_abundances_sparse(shelf, error, share, word):
    """Sparse and summing to one are two things, and both are claimed."""
    found = {"abundance_sum_error": np.array(error), "abundance_share_below_0.01": np.array(share)}
    shelf.put(cell("hyconet"), 30.0, arrays=found)
    assert shelf.word("hyconet-abundances-sparse").word == word


def test_seeds_are_averaged(shelf):
    """More than one seed of a cell counts by its mean."""
    fill_tables(shelf, ours=30.0)
    for seed, value in ((1, 30.0), (2, 21.0)):
        shelf.put(dataclasses.replace(cell("hyconet"), seed=seed), value)
    verdict = shelf.word("hyconet-best-psnr")
    assert verdict.word == "fails"
    assert "27.00 dB (n = 3) against 29.00" in verdict.evidence


def test_widths_are_compared_seed_by_seed(shelf):
    """A seed that one width alone has does not make HyCoNet look unstable, or stable."""
    fill_tables(shelf, ours=40.0, wide=1.0)
    shelf.put(dataclasses.replace(cell("hyconet"), seed=1), 30.0)
    verdict = shelf.word("hyconet-stable-in-sigma")
    assert (verdict.word, "spans 0.00 dB" in verdict.evidence) == ("holds", True)


def test_one_seed_that_moves_is_enough_to_fail(shelf):
    """Every seed has to stay within the limit."""
    fill_tables(shelf, ours=40.0, wide=1.0)
    for sigma in SIGMAS:
        shelf.put(cell("hyconet", sigma, seed=1), 40.0 + 1.2 * (sigma == 1.0))
    verdict = shelf.word("hyconet-stable-in-sigma")
    assert "spans 0.00, 1.20 dB" in verdict.evidence
    assert verdict.word == "fails"


@pytest.mark.parametrize(("losers", "word"), [(3, "holds"), (4, "fails")])
def test_most_baselines_are_seven_of_ten(shelf, losers, word):
    """Seven that profit are most of ten, six are not."""
    fill_tables(shelf, ours=40.0, wide=1.0)
    for method in TABLE_METHODS[:losers]:
        shelf.put(cell(method, SIGMAS[-1]), 1.0)
    assert shelf.word("hyconet-stable-in-sigma").word == word


@pytest.mark.parametrize(
    ("error", "share", "word"),
    [(0.049, 0.51, "holds"), (0.051, 0.51, "fails"), (0.049, 0.49, "fails")],
)
def test_abundances_limits(shelf, error, share, word):
    """Just inside and just outside both limits."""
    found = {"abundance_sum_error": np.array(error), "abundance_share_below_0.01": np.array(share)}
    shelf.put(cell("hyconet"), 30.0, arrays=found)
    assert shelf.word("hyconet-abundances-sparse").word == word


def test_arrays_are_averaged_over_seeds(shelf):
    """Every seed counts, not the first."""
    for seed, error in enumerate((0.01, 0.01, 0.4)):
        found = {
            "abundance_sum_error": np.array(error),
            "abundance_share_below_0.01": np.array(0.9),
        }
        shelf.put(cell("hyconet", seed=seed), 30.0, arrays=found)
    verdict = shelf.word("hyconet-abundances-sparse")
    assert "is 0.140" in verdict.evidence
    assert verdict.word == "fails"
