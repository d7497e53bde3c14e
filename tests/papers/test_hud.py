"""HUD's tables as data, the sentences drawn from records, and the claims."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.generation import METHODS
from hsirepro.papers.hud import (
    DATASETS,
    NULLS,
    PROFILES,
    PUBLISHED_NAMES,
    STAND_INS,
    TABLE,
    TABLE_METHODS,
    VARIANTS,
    asked,
    condition_of,
    keys,
    planned,
    scene_of,
)
from hsirepro.papers.hud.claims import DECISIONS, decided
from hsirepro.papers.hud.findings import ceiling_notes, null_notes
from hsirepro.papers.hud.run import endmembers_of
from hsirepro.papers.hud.scores import printed_averages, scores
from hsirepro.papers.published import claims, published
from hsirepro.records import Record, RecordStore
from hsirepro.scenes import CATALOGUE

CROP = "jasper-ridge"


def record(method, seed=0, profile="paper", **metrics):
    """Return a record of one row on one crop, with the metrics that the tables show."""
    numbers = {
        "PointFidelity": 0.9,
        "BlockDiversity": 0.8,
        "DiversityOverFidelity": 0.9,
        "shift of the level": 0.0,
        "FID of clusters": 50.0,
        **({"largest loss of the projection": 3e-4} if method == "hud" else {}),
    }
    (key,) = keys(CROP, profile, [method], [seed])
    return Record(key, {**numbers, **metrics})


def store_of(folder, records):
    """Return a store with these records."""
    store = RecordStore(folder)
    for one in records:
        store.write(one)
    return store


def test_tables_are_complete():
    """Tables I-III print six methods, five metrics, five scenes and their averages."""
    rows = published("hud")
    found = set(zip(rows.table, rows.dataset, rows.method, rows.metric, strict=True))
    kinds = [
        *(("I", m) for m in ("PointFidelity", "BlockDiversity", "DiversityOverFidelity")),
        *(("II", "IS"), ("III", "FID")),
    ]
    expected = {
        (table, scene, method, metric)
        for (table, metric), scene, method in itertools.product(
            kinds, [*DATASETS, "average"], ["GAN", "VAE", "MPRNet", "UD", "UBF", "HUD"]
        )
    }
    assert found == expected
    assert set(rows.condition) == {condition_of("paper")}


def test_no_printed_ratio_exceeds_one():
    """As it must be if diversity averages the cosines of pixels: the reading taken here."""
    ratios = published("hud").query("metric == 'DiversityOverFidelity'")
    assert len(ratios) == 36
    assert (ratios.value <= 1.0).all()


def test_every_row_names_a_method_and_a_row_of_the_paper():
    """Rows are methods that exist, and their published names are printed."""
    printed = set(published("hud").method)
    for name, variant in VARIANTS.items():
        assert variant.method in METHODS, name
        assert variant.published is None or variant.published in printed
    assert {PUBLISHED_NAMES[name] for name in TABLE_METHODS} <= printed


def test_scenes_are_known():
    """Every scene and stand-in is in the catalogue, and stands for a scene of the paper."""
    for name, scene in {**DATASETS, **STAND_INS}.items():
        assert name in CATALOGUE
        assert scene.dataset in ("", *DATASETS)
        if scene.dataset:
            assert scene.endmembers == DATASETS[scene.dataset].endmembers
    overlapping = {"abu-airport-2", "abu-urban-5"}  # two crops that share pixels
    assert not overlapping <= set(STAND_INS)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_sweep_plans_every_cell_once(profile):
    """All stand-ins, rows and seeds, and the scenes of the paper that are here."""
    everything = planned(profile, ["ksc"])
    assert len(everything) == len(set(everything))
    plan = [key for key in everything if key.table != "unmixing"]
    assert len(everything) - len(plan) == (3 * (3 * 3 + 1) if profile == "paper" else 0)
    scenes = {*STAND_INS, "ksc"}
    assert {key.scene for key in plan} == scenes
    plan = [key for key in plan if key.table == TABLE]
    rows = [name for name, row in VARIANTS.items() if row.only in (None, profile)]
    assert len(plan) == len(scenes) * len(rows) * len(PROFILES[profile].seeds)


def test_what_a_command_asks_for():
    """Empty words are the defaults, and a number of endmembers is part of the condition."""
    (key,) = asked("", CROP, "", "quick", ["hud"], [1])
    assert str(key) == f"hud/I-III/{CROP}/tiles=32/hud (quick, seed 1)"
    (key,) = asked("I-III", CROP, "tiles=32,endmembers=4", "quick", ["hud"], [1])
    assert endmembers_of(key.condition) == 4
    assert scene_of("my/own.hdr").dataset == ""


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: keys(CROP, "quik"), "no profile 'quik'(.|\n)*did you mean 'quick'"),
        (lambda: keys(CROP, "quick", ["hudd"]), "no method 'hudd'(.|\n)*did you mean 'hud'"),
        (lambda: endmembers_of("sigma=0.5"), "no condition 'sigma=0.5'(.|\n)*tiles=32"),
    ],
)
def test_slips_are_named(call, text):
    """The error offers the nearest right name."""
    with pytest.raises(ParameterError, match=text):
        call()


def test_printed_averages_that_do_not_follow():
    """The contradictions of Table I that arithmetic finds; those of Tables II and III agree."""
    wrong = printed_averages().set_index(["metric", "method"])
    assert wrong.loc[("PointFidelity", "UD"), "printed"] == pytest.approx(0.537)
    assert wrong.loc[("PointFidelity", "UD"), "of the rows"] == pytest.approx(0.738, abs=6e-4)
    assert wrong.loc[("DiversityOverFidelity", "GAN"), "of the rows"] == pytest.approx(
        0.973, abs=6e-4
    )
    assert set(wrong.table) == {"I"}


def test_scores_are_one_row_a_run(tmp_path):
    """Runs of one profile, in the order of the rows."""
    store = store_of(
        tmp_path,
        [
            record("hud", 1),
            record("hud", 0),
            record("null-tiles"),
            record("hud", 2, "quick", PointFidelity=0.1),
        ],
    )
    frame = scores(store, "paper")
    assert list(zip(frame.method, frame.seed, strict=True)) == [
        ("null-tiles", 0),
        ("hud", 0),
        ("hud", 1),
    ]
    assert scores(RecordStore(tmp_path / "none")).empty


def test_null_notes_tell_which_metric_a_null_wins(tmp_path):
    """Per metric: whether a null is at least as good as the best method."""
    store = store_of(
        tmp_path,
        [
            record("null-tiles", PointFidelity=1.0, BlockDiversity=1.0),
            record("null-mixtures", PointFidelity=0.95, BlockDiversity=0.9),
            record("hud", PointFidelity=0.99, BlockDiversity=0.7),
            record("vae", PointFidelity=0.97, BlockDiversity=0.8),
        ],
    )
    notes = dict(note.split(": ", 1) for note in null_notes(scores(store, "paper")))
    assert "on 1 of 1 scenes they beat every method" in notes["PointFidelity, copies"]
    assert "null-tiles has 1 and the best method, hud, 0.99" in notes["PointFidelity, copies"]
    assert "on none of 1 scenes" in notes["PointFidelity, rubbish"]
    assert "on none of 1 scenes" in notes["BlockDiversity, rubbish"]
    assert "precision, copies" not in notes  # not recorded
    (empty,) = null_notes(scores(RecordStore(tmp_path / "none")))
    assert "nothing to compare" in empty


def test_ceiling_notes_set_hud_beside_its_endmembers(tmp_path):
    """Where all three rows are recorded: copies, what endmembers explain, HUD."""
    metric = "FID of clusters"
    rows = {"null-tiles": 4.0, "null-unmixed": 39.7, "hud": 49.2}
    store = store_of(tmp_path, [record(name, **{metric: v}) for name, v in rows.items()])
    (note,) = ceiling_notes(scores(store, "paper"))
    assert note == (f"{CROP}, {metric}: copied tiles 4; unmixed and mixed again 39.7; HUD 49.2.")
    assert ceiling_notes(scores(RecordStore(tmp_path / "none"))) == []


def whole_table(**changes):
    """Return records of every row of the tables and the nulls; ``changes`` by method."""
    names = (*TABLE_METHODS, *NULLS)
    return [record(name, **changes.get(name.replace("-", "_"), {})) for name in names]


def verdict_of(tmp_path, claim, records):
    """Return the word and the evidence on the crop."""
    (verdict,) = (
        v for v in decided(store_of(tmp_path, records)) if (v.claim, v.scene) == (claim, CROP)
    )
    return verdict.word, verdict.evidence


def test_every_claim_has_a_decision():
    """In the order of the file."""
    assert list(DECISIONS) == [claim["id"] for claim in claims("hud")]


@pytest.mark.parametrize(
    ("claim", "good", "bad"),
    [
        (
            "hud-best-fidelity",
            {"hud": {"PointFidelity": 0.99}},
            {"hud": {"PointFidelity": 0.99}, "vae": {"PointFidelity": 0.995}},
        ),
        (
            "hud-fidelity-tells",
            {"hud": {"PointFidelity": 0.99}},
            {"hud": {"PointFidelity": 0.99}, "null_mixtures": {"PointFidelity": 0.991}},
        ),
        (
            "hud-best-ratio",
            {"hud": {"DiversityOverFidelity": 0.7}},
            {"hud": {"DiversityOverFidelity": 0.95}},
        ),
        (
            "hud-more-diverse",
            {"hud": {"BlockDiversity": 0.5}},
            {"hud": {"BlockDiversity": 0.7}, "mprnet": {"BlockDiversity": 0.6}},
        ),
        (
            "hud-projection-lossless",
            {},
            {"hud": {"largest loss of the projection": 4e-4}},
        ),
        (
            "hud-best-fid",
            {"hud": {"FID of clusters": 8.0}},
            {"hud": {"FID of clusters": 8.0}, "wgan_gp": {"FID of clusters": 7.0}},
        ),
    ],
)
def test_claims_are_decided_by_records(tmp_path, claim, good, bad):
    """Each holds where its check does, and fails where one number turns it."""
    assert verdict_of(tmp_path / "good", claim, whole_table(**good))[0] == "holds"
    assert verdict_of(tmp_path / "bad", claim, whole_table(**bad))[0] == "fails"


def test_claims_wait_for_runs_of_the_papers_length(tmp_path):
    """Without records nothing is decided, and quick ones are a hint only."""
    nothing = decided(RecordStore(tmp_path / "none"))
    assert {v.word for v in nothing} == {"undecided"}
    quick = [record(name, profile="quick") for name in (*TABLE_METHODS, *NULLS)]
    word, evidence = verdict_of(tmp_path, "hud-projection-lossless", quick)
    assert word == "undecided"
    assert "In runs of profile quick it holds: 3.00e-04" in evidence


def test_a_runs_seeds_are_its_spread(tmp_path):
    """Fidelity tells only if the gap exceeds the spread over seeds."""
    seeds = [record("hud", seed, PointFidelity=v) for seed, v in enumerate((0.90, 0.98, 0.94))]
    null = [record("null-mixtures", PointFidelity=0.91)]
    word, evidence = verdict_of(tmp_path, "hud-fidelity-tells", [*seeds, *null])
    spread = np.std([0.90, 0.98, 0.94], ddof=1)
    assert word == "fails"
    assert f"± {spread:.4f}, n = 3" in evidence
