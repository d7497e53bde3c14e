"""The choices of HyCoNet: what paper and releases say, and what a user may change."""

from __future__ import annotations

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.fusion.hyconet import _optimise
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.fusion.hyconet_presets import PRESETS, HyCoNetConfig, configure


def test_presets_are_the_choices_of_paper_and_releases():
    """Every choice on which the paper and the two states of the code differ, field by field."""
    paper, v1, head = (PRESETS[n] for n in ("paper", "release-2021", "release-2022"))
    table = {  # field: (paper, release of 2021, default command of 2022)
        "endmembers": (100, 100, 100),
        "iterations": (10_000, 10_000, 10_000),
        "hold": (0, 2000, 2000),
        "learning_rate": (5e-3, 3e-3, 3e-3),
        "rate_msi": (1.0, 0.5, 0.5),
        "rate_psf": (1.0, 0.2, 0.2),
        "rate_srf": (1.0, 0.2, 0.2),
        "weight_za": (1, 10, 10),
        "alpha": (10, 10, 10),
        "beta": (10, 10, 10),
        "gamma": (100, 100, 100),
        "mu": (0.001, 0.01, 0.01),
        "nu": (0.001, 0.01, 0.01),
        "abundance": ("clamp", "relu", "softmax"),
        "clamp_images": (True, False, False),
        "sum_to_one_b": (True, False, False),
        "sparsity": ("bernoulli", "softmax", "softmax"),
        "rho": (0.0001, 0.01, 0.01),
        "response": ("learned", "learned", "known"),
        "normalise_srf": (False, True, False),
    }
    ours = {"precision", "chunk_pixels"}  # how it is computed, not what
    assert set(table) | ours == set(HyCoNetConfig.__dataclass_fields__)
    for field, values in table.items():
        assert tuple(getattr(c, field) for c in (paper, v1, head)) == values, field
    assert {c.precision for c in PRESETS.values()} == {"fp32"}


@pytest.mark.parametrize(
    ("preset", "settings", "text"),
    [
        ("papr", {}, "HyCoNet has no preset 'papr'.\n  hint  did you mean 'paper'?"),
        ("release", {}, "did you mean 'release-2022' or 'release-2021'?"),
        ("paper", {"iteration": 5}, "has no setting 'iteration'.\n  hint  did you mean 'iteratio"),
        ("paper", {"learning_rate": "1e-3"}, "learning_rate must be a number, not the string '1e"),
        ("paper", {"learning_rate": "1e-3"}, "write 0.001 without quotes; in YAML write 1.0e-3"),
        ("paper", {"iterations": 2.5}, "iterations must be a whole number, not 2.5 (float)"),
        ("paper", {"iterations": -1}, "iterations is -1, which is out of range"),
        ("paper", {"clamp_images": 1}, "clamp_images must be True or False"),
        ("paper", {"abundance": "softmx"}, "abundance cannot be 'softmx'.\n  next step  did you m"),
        (
            "paper",
            {"response": "given"},
            "response cannot be 'given'.\n  next step  one of: known, learned",
        ),
        ("paper", {"precision": "fp16"}, "precision cannot be 'fp16'"),
    ],
)
def test_impossible_settings_are_refused(preset, settings, text):
    """A slip in a setting stops the run with what was meant, instead of training another model."""
    with pytest.raises(ParameterError) as caught:
        configure(preset, **settings)
    assert text in str(caught.value)


def test_a_setting_replaces_one_field():
    """What is not named keeps the value of the preset; whole floats become whole numbers."""
    config = configure("release-2021", iterations=500.0, alpha=3)
    assert (config.iterations, type(config.iterations)) == (500, int)
    assert (config.alpha, type(config.alpha)) == (3.0, float)
    assert config.hold == 2000


def test_learning_rates_fall_as_configured():
    """Constant for ``hold`` iterations, then linearly to zero, at a factor per part."""
    config = configure("release-2021", iterations=100, hold=20)
    net = HyCoNet(20, 3, 3, [(1, 6), (4, 9), (14, 14)], config)
    optimizer, scheduler = _optimise(net, config)
    rates = []
    for _ in range(100):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(rates[0], [3e-3, 1.5e-3, 6e-4, 6e-4])
    np.testing.assert_allclose(rates[20], rates[0])
    np.testing.assert_allclose(rates[60], np.array(rates[0]) / 2)
    np.testing.assert_allclose([g["lr"] for g in optimizer.param_groups], 0.0, atol=1e-12)


def test_every_weight_has_the_rate_of_its_part():
    """The endmembers learn as the HSI encoder does; the others by their own factors."""
    from hsirepro.fusion.hyconet import _optimise
    from hsirepro.fusion.hyconet_net import HyCoNet
    from hsirepro.fusion.hyconet_presets import configure

    config = configure("paper", learning_rate=1.0, rate_msi=0.5, rate_psf=0.25, rate_srf=0.125)
    net = HyCoNet(20, 3, 3, [(1, 6), (4, 9), (14, 14)], config)
    optimizer, _ = _optimise(net, config)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    of_part = {"encode_hsi": 1.0, "endmembers": 1.0, "encode_msi": 0.5, "psf": 0.25, "srf": 0.125}
    assert {name: rates[id(p)] for name, p in net.named_parameters()} == {
        name: of_part[name.split(".")[0]] for name, _ in net.named_parameters()
    }
