"""HyCoNet's figures and comparisons as data."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest

from hsirepro.errors import ParameterError
from hsirepro.fusion import METHODS, fuse
from hsirepro.fusion.estimation import Response
from hsirepro.fusion.hyconet_presets import configure
from hsirepro.papers.hyconet import (
    PROFILES,
    STUDIES,
    TABLE_METHODS,
    TABLES,
    VARIANTS,
    cells,
    keys,
    planned,
    run_cell,
    scenes_here,
    study_keys,
)
from hsirepro.papers.hyconet.run import _length
from hsirepro.papers.hyconet.studies import RESPONSES, WITHOUT, plan_of, variant_of
from hsirepro.records import RecordKey, RecordStore
from hsirepro.scenes import CATALOGUE

RESULTS = Path(__file__).parents[2] / "results"
FROM_THE_DATA = {"ratio", "atoms", "endmembers", "sum_to_one_weight", "components"}
RENAMED = {"srf": "response"}  # a setting, and its name today: the first records have the old one


@pytest.mark.parametrize("name", STUDIES)
def test_every_variant_can_run(name):
    """A study names methods and settings that exist, and scenes that can be opened."""
    study = STUDIES[name]
    assert set(study.scenes) <= set(CATALOGUE)
    for variant in study.variants.values():
        assert variant.method in METHODS
        # A setting named as a part of the contract could not be handed on.
        assert not set(variant.settings) & set(inspect.signature(fuse).parameters)
        if variant.method == "hyconet":
            configure(**variant.settings)


def test_a_variant_of_the_tables_is_not_run_twice():
    """The paper's own settings are a row of the tables, wherever a study reaches them."""
    table_cell = RecordKey("hyconet", "V", "houston-2018-crop", "sigma=0.5", "hyconet", "paper", 0)
    for study, variant in (
        ("fig-5", "full"),
        ("fig-4b", "gamma=100"),
        ("fig-4c", "mu=0.001+nu=0.001"),
        ("fig-7", "p=100"),
        ("abundances", "clamp"),
        ("response", "learned"),
        ("sparsity", "bernoulli"),
        ("presets", "paper"),
    ):
        assert study_keys(study, "houston-2018-crop", "paper", [variant], [0]) == [table_cell]
    # As in the paper, Fig. 4(a) keeps the other weights at 1: no point of it is a row.
    for study, own in (("fig-5", "without-z_b"), ("fig-4a", "alpha=10+beta=10")):
        (other,) = study_keys(study, "houston-2018-crop", "paper", [own], [0])
        assert (other.table, other.method) == (study, own)


def test_variants_of_a_study_are_equally_long():
    """Where a profile shortens studies, none of their runs is taken from the longer tables."""
    for profile in PROFILES:
        found = study_keys("fig-5", "planted", profile, seeds=[0])
        lengths = {_length(variant_of(key), key)["iterations"] for key in found}
        assert len(lengths) == 1
        assert lengths <= {PROFILES[profile].iterations, PROFILES[profile].in_study}
        (row,) = keys("II", "planted", 0.5, profile, ["hyconet"], [0])
        assert _length(variant_of(row), row)["iterations"] == PROFILES[profile].iterations


def test_each_ablation_takes_one_thing_away():
    """Every variant of Fig. 5 but the full one sets one weight of the loss to zero."""
    whole = vars(configure("paper"))
    for name, off in WITHOUT.items():
        changed = {
            key for key, value in vars(configure("paper", **off)).items() if value != whole[key]
        }
        assert len(changed) == (name != "full")
        assert all(value == 0.0 for value in off.values())


def test_plan_covers_the_tables_and_names_each_cell_once():
    """Eleven methods and bicubic, three widths, every stand-in; the studies; no cell twice.

    The presets have no cells of their own: they are rows of the tables.
    """
    plan = planned("paper")
    assert len(plan) == len(set(plan))
    scenes = [scene for table in TABLES.values() for scene in table.stand_ins]
    for scene in scenes:
        for method in ("bicubic", *TABLE_METHODS):
            mine = [
                k for k in plan if (k.scene, k.method, k.table in TABLES) == (scene, method, True)
            ]
            assert {k.condition for k in mine} == {"sigma=0.5", "sigma=1", "sigma=2"}
            assert len(mine) == 3 * (3 if VARIANTS[method].random else 1)
    assert {key.table for key in plan} == {*TABLES, *STUDIES} - {"presets"}


def test_scenes_of_the_paper_join_the_plan_where_they_are_here(monkeypatch):
    """They are run as their stand-ins are, tables and studies alike."""
    assert scenes_here() == []  # no test machine has them
    plan = planned("paper", ["houston-2018"])
    assert set(planned("paper")) < set(plan)
    own = {key.table for key in plan if key.scene == "houston-2018"}
    assert own == {"V", "fig-7", "abundances", "response", "mismatch", "estimators"}
    monkeypatch.setattr(
        "hsirepro.scenes.locate.is_here", lambda entry: entry.name == "houston-2018"
    )
    assert scenes_here() == ["houston-2018"]


def test_options_of_the_response_are_those_of_the_methods():
    """The study has a variant for every way to come by a response, the default first."""
    assert set(RESPONSES) == set(get_args(Response))
    taken = inspect.signature(METHODS["cnmf"]).parameters
    assert RESPONSES[0] == taken["response"].default


def test_key_tells_what_was_run():
    """From the key alone follow the settings, the ratio and the bands."""
    key = RecordKey("hyconet", "fig-5", "houston-2018-crop", "sigma=0.5", "without-z_b", "paper", 0)
    assert variant_of(key).settings == {"preset": "paper", "alpha": 0.0}
    assert plan_of(key) == "V"
    assert plan_of(RecordKey("hyconet", "IV", "planted", "sigma=1", "gsa", "smoke", 0)) == "IV"


def test_study_runs_on_the_planted_scene(monkeypatch):
    """A cell of a study is run with its change and recorded under its name."""
    (key,) = study_keys("fig-7", "planted", "smoke", ["p=5"], [0])
    monkeypatch.setattr("hsirepro.papers.hyconet.run._length", lambda *_: {"iterations": 5})
    record = run_cell(key)
    assert record.key == key
    assert record.settings["endmembers"] == 5
    assert record.arrays["endmembers"].shape[1] == 5
    assert not record.images


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"table": "fig-6"}, "no table or study 'fig-6'.\n  hint  did you mean 'fig-"),
        (
            {"table": "fig-5", "methods": ["without-zb"]},
            "no variant 'without-zb'.\n  hint  did you",
        ),
        ({"table": "fig-5", "profile": "papper"}, "no profile 'papper'"),
    ],
)
def test_unknown_studies_are_answered_with_the_nearest(call, text):
    """A slip stops before anything is computed."""
    given = {"table": "II", "scene": "planted", "sigma": 0.5, "profile": "smoke", **call}
    with pytest.raises(ParameterError) as caught:
        cells(**given)
    assert text in str(caught.value)


def test_committed_records_ran_what_their_key_says():
    """A variant or a default that changes does not go on showing runs of the old one."""
    found = RecordStore(RESULTS).find(paper="hyconet")
    assert len(found) > 100
    other = {}
    for record in found:
        wanted = wanted_settings(record)
        settings = {RENAMED.get(name, name): value for name, value in record.settings.items()}
        ran = {name: settings.get(name) for name in wanted}
        if ran != wanted:
            other[str(record.key)] = {k: (ran[k], wanted[k]) for k in wanted if ran[k] != wanted[k]}
    assert not other


def wanted_settings(record):
    """Return what a run of a record's key would be set to today."""
    variant = variant_of(record.key)
    chosen = {**variant.settings, **_length(variant, record.key)}
    if variant.method == "hyconet":
        # How the sums are cut into chunks changes nothing but the speed.
        every = vars(configure(**chosen))
        return {name: value for name, value in every.items() if name != "chunk_pixels"}
    taken = inspect.signature(METHODS[variant.method]).parameters
    own = {name for name in record.settings if name in taken} - FROM_THE_DATA
    return {name: taken[name].default for name in own} | chosen
