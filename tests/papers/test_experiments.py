"""HyCoNet's tables as data."""

from __future__ import annotations

import inspect

import pytest

from hsirepro.errors import ParameterError
from hsirepro.fusion import METHODS, PRESETS
from hsirepro.fusion.hyconet_presets import configure
from hsirepro.papers.hyconet import (
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    TABLES,
    VARIANTS,
    keys,
    table_of,
)
from hsirepro.papers.hyconet.experiments import SIGMAS, condition_of, ratio_of, sigma_of
from hsirepro.papers.published import published
from hsirepro.params import check_parameters
from hsirepro.scenes import CATALOGUE


def test_tables_are_those_of_the_paper():
    """Ratios, MSI bands and widths are those of Tables II-V."""
    assert {name: table.ratio for name, table in TABLES.items()} == {
        "II": 4,
        "III": 4,
        "IV": 8,
        "V": 8,
    }
    assert {name: len(table.msi_bands) for name, table in TABLES.items()} == {
        "II": 3,
        "III": 6,
        "IV": 6,
        "V": 3,
    }
    numbers = published("hyconet")
    assert set(TABLES) == set(numbers.table)
    assert {f"psf_{condition_of(sigma)}" for sigma in SIGMAS} == set(numbers.condition)


def test_scenes_of_the_tables_are_in_the_catalogue():
    """A table names scenes that can be opened, and stand-ins that stand in for its scene."""
    for table in TABLES.values():
        assert table.dataset in CATALOGUE
        for name in table.stand_ins:
            assert name in CATALOGUE


def test_rows_are_methods_that_run():
    """Every row has a fusion method, settings that it takes, and a place in the paper or none."""
    for name, variant in VARIANTS.items():
        assert variant.method in METHODS
        if variant.method == "hyconet":
            settings = dict(variant.settings)
            assert settings["preset"] in PRESETS
            configure(**settings)
        takes_seed = "seed" in inspect.signature(METHODS[variant.method]).parameters
        assert variant.random is takes_seed
        assert name in PUBLISHED_NAMES
    assert set(PUBLISHED_NAMES) == set(VARIANTS)
    printed = set(published("hyconet").method)
    assert {name for name in PUBLISHED_NAMES.values() if name} <= printed


def test_profiles_grow():
    """Smoke is shorter than quick, quick than paper; paper is as long as the paper's runs."""
    lengths = [PROFILES[name].iterations for name in ("smoke", "quick", "paper")]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == PRESETS["paper"].iterations == 10_000
    assert len(PROFILES["paper"].seeds) >= 3


@pytest.mark.parametrize("sigma", [*SIGMAS, 0.25, 1.75, 3])
@pytest.mark.parametrize("ratio", [0, 6])
def test_condition_names_width_and_ratio(sigma, ratio):
    """What a record's condition says is what was asked for."""
    condition = condition_of(sigma, ratio)
    assert sigma_of(condition) == sigma
    assert ratio_of(condition) == ratio


@pytest.mark.parametrize(
    "condition",
    ["", "0.5", "psf=0.5", "sigma=", "sigma=x", "sigma=0", "sigma=-1", "sigma=nan", "sigma=inf"],
)
def test_conditions_that_mean_nothing_are_refused(condition):
    """A condition that names no width is answered with how to write one."""
    with pytest.raises(ParameterError) as caught:
        sigma_of(condition)
    assert f"HyCoNet has no condition {condition!r}." in str(caught.value)
    assert "write it as sigma=0.5" in str(caught.value)


@pytest.mark.parametrize("rest", [".2.3", " ", ",ratio=", ",ratio=x", ",ratio=-4"])
def test_conditions_that_go_on_wrongly_are_refused(rest):
    """A width followed by anything but a whole ratio is not guessed at."""
    with pytest.raises(ParameterError, match="HyCoNet has no condition 'sigma=1"):
        sigma_of(f"sigma=1{rest}")


def test_cells_of_a_table():
    """Methods without chance run once, the others for every seed of the profile."""
    cells = keys("II", "planted", 0.5, "paper")
    seeds = len(PROFILES["paper"].seeds)
    random = sum(variant.random for variant in VARIANTS.values())
    assert len(cells) == len(set(cells)) == (len(VARIANTS) - random) + random * seeds
    assert {cell.paper for cell in cells} == {"hyconet"}
    assert {cell.condition for cell in cells} == {"sigma=0.5"}
    assert [c.seed for c in keys("II", "planted", 1, "paper", ["hyconet"], [4, 7])] == [4, 7]
    assert [c.seed for c in keys("II", "planted", 1, "paper", ["gsa"], [4, 7])] == [4]
    (cell,) = keys("II", "mine", 0.5, "smoke", ["gsa"], ratio=6)
    assert cell.condition == "sigma=0.5,ratio=6"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"table": "VI"}, "HyCoNet has no table 'VI'.\n  hint  one of: II, III, IV, V"),
        ({"profile": "papper"}, "has no profile 'papper'.\n  hint  did you mean 'paper'?"),
        ({"methods": ["gsa", "hyconett"]}, "have no method 'hyconett'.\n  hint  did you mean 'hy"),
        ({"seeds": [-1]}, "seed must be a whole number from 0, not -1"),
        ({"seeds": ["1e-3"]}, "seed must be a whole number from 0, not '1e-3'"),
        ({"scene": ""}, "scene must be a name, not ''"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(change, text):
    """A slip in table, profile, method or seed stops before anything is computed."""
    call = {"table": "II", "scene": "planted", "sigma": 0.5, "profile": "smoke", **change}
    with pytest.raises(ParameterError) as caught:
        keys(**call)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"sede": 1}, "Unknown parameter 'sede'.\n  next step  did you mean 'seed'?"),
        ({"sigma": "1e-3"}, "sigma must be a number, not the string '1e-3'"),
        ({"sigma": 0}, "sigma is 0, which is out of range"),
        ({"ratio": -4}, "ratio is -4, which is out of range.\n  allowed  0 or more"),
        ({"profile": "quik"}, "profile cannot be 'quik'.\n  next step  did you mean 'quick'?"),
        ({"device": "gpu"}, "device cannot be 'gpu'"),
    ],
)
def test_parameters_of_the_chapters_are_checked(given, text):
    """What papermill is told is checked against the schema that the chapters share."""
    assert check_parameters({}, PARAMETERS)["scene"] == "planted"
    with pytest.raises(ParameterError) as caught:
        check_parameters(given, PARAMETERS)
    assert text in str(caught.value)


def test_scene_belongs_to_the_table_of_its_sensor():
    """A paper scene or its stand-in finds its table; anything else goes to the first."""
    for name, table in TABLES.items():
        for scene in (table.dataset, *table.stand_ins):
            assert table_of(scene) == name
    assert table_of("planted") == table_of("/my/own.mat") == "II"
