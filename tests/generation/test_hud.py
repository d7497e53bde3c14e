"""HUD: the projection of eq. 4-6, tiles on the simplex, and a training that can be resumed."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError, RecordError
from hsirepro.generation import MODELS, Fitted, Patches, training
from hsirepro.generation.diffusion import Layout, denoising_loss
from hsirepro.generation.hud import constrain, hud, unconstrain
from hsirepro.training import TrainingRun

TINY: dict[str, Any] = {
    "endmembers": 3,
    "iterations": 12,
    "batch": 4,
    "warm_up": 2,
    "layout": Layout((8, 8), groups=4),
}


def scene(bands: int = 11, seed: int = 0) -> torch.Tensor:
    """Return a smooth mixture of three spectra, shape (L, 20, 23)."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(bands, 3, generator=generator) + 0.1
    rough = torch.randn(1, 3, 5, 6, generator=generator)
    fields = torch.nn.functional.interpolate(rough, (20, 23), mode="bicubic")[0]
    image: torch.Tensor = torch.einsum("lp,phw->lhw", corners, (6 * fields).softmax(dim=0))
    return image


def fitted(checkpoint: Path | None = None, **changes: Any) -> Fitted:
    """Return HUD after a few steps on the small scene."""
    return hud(Patches([scene()], 8), checkpoint=checkpoint, **{**TINY, **changes})


@pytest.mark.parametrize("p", [2, 9, 16])
def test_projection_is_equation_6(p: int) -> None:
    """Back from Z, abundances are (X + e^-8 / p) / (1 + e^-8): less than e^-8 away."""
    torch.manual_seed(p)
    shares = torch.distributions.Dirichlet(torch.full((p,), 0.2, dtype=torch.float64))
    x = shares.sample((50,)).T[:, :, None]
    x[:, 0, 0] = torch.eye(p)[0]  # a pure pixel, whose logarithm would not exist
    back = constrain(unconstrain(x))
    floor = np.exp(-8.0)
    assert torch.allclose(back, (x + floor / p) / (1 + floor), rtol=0, atol=1e-12)
    assert float((back - x).abs().max()) < floor
    assert torch.allclose(back.sum(dim=0), torch.ones(50, 1, dtype=torch.float64))


def test_any_z_gives_abundances() -> None:
    """Whatever the sampler draws ends on the simplex."""
    z = 50 * torch.randn(2, 5, 7, 3)
    x = constrain(z)
    assert float(x.min()) >= 0.0
    assert torch.allclose(x.sum(dim=1), torch.ones(2, 7, 3), atol=1e-6)


def test_tiles_are_mixtures_of_the_endmembers() -> None:
    """A drawn tile is the endmembers times its abundances, which lie on the simplex."""
    model = fitted().model
    drawn = model.sample(3, seed=1, steps=4)
    assert drawn.abundances is not None
    assert drawn.tiles.shape == (3, 11, 8, 8)
    assert float(drawn.abundances.min()) >= 0.0
    assert torch.allclose(drawn.abundances.sum(dim=1), torch.ones(3, 8, 8), atol=1e-6)
    endmembers = model.state_dict()["autoencoder.endmembers"]
    made = torch.einsum("lp,bphw->blhw", endmembers, drawn.abundances)
    assert torch.allclose(drawn.tiles, made, atol=1e-6)


def test_tiles_of_another_size() -> None:
    """The network is convolutional: any size, also one that its levels do not divide."""
    drawn = fitted().model.sample(2, size=13, steps=2)
    assert drawn.tiles.shape == (2, 11, 13, 13)


def test_z_is_standardised_unless_raw() -> None:
    """The network sees mean 0 and variance 1, or with ``raw`` the logarithms as they are."""
    image = scene()
    for scaling, mean, deviation in (("standardised", 0.0, 1.0), ("raw", None, None)):
        model: Any = fitted(scaling=scaling, iterations=1).model
        z = model.project(image)
        if mean is not None:
            assert float(z.mean()) == pytest.approx(mean, abs=1e-4)
            assert float(z.std()) == pytest.approx(deviation, abs=1e-3)
        else:
            assert float(model.centre) == 0.0
            assert float(z.max()) <= np.log(1 + np.exp(-8))
            assert float(z.min()) >= -np.log(3) - 8 - 1e-5


@pytest.mark.parametrize("stop", [1, 7])
def test_resumed_is_uninterrupted(tmp_path: Path, monkeypatch: Any, stop: int) -> None:
    """A run stopped at any step and taken up again ends with the same bytes, average included."""
    monkeypatch.setattr(training, "TrainingRun", partial(TrainingRun, checkpoint_every=1))
    whole = fitted()
    module = importlib.import_module("hsirepro.generation.hud")
    calls: list[int] = []

    def cut_off(*given: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        if len(calls) == stop + 1:
            raise KeyboardInterrupt
        return denoising_loss(*given)

    monkeypatch.setattr(module, "denoising_loss", cut_off)
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        fitted(checkpoint=path)
    resumed = fitted(checkpoint=path)
    assert len(calls) == TINY["iterations"] + 1  # no step but the broken one was done twice
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    np.testing.assert_array_equal(whole.curves["velocity"], resumed.curves["velocity"])


def test_same_seed_same_bytes_and_the_callers_randomness_stays() -> None:
    """A seed names the model; whoever called finds the generators as they were."""
    before = torch.get_rng_state()
    first, second, other = fitted(seed=4), fitted(seed=4), fitted(seed=5)
    assert torch.equal(before, torch.get_rng_state())
    weights = [
        torch.cat([v.flatten() for v in f.model.state_dict().values()])
        for f in (first, second, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_kept_model_draws_the_same() -> None:
    """Shape and state rebuild the model."""
    model = fitted().model
    again = MODELS["hud"](**model.shape)
    again.load_state_dict(model.state_dict())
    assert torch.equal(model.sample(2, steps=3).tiles, again.eval().sample(2, steps=3).tiles)


def roughness(image: torch.Tensor) -> float:
    """Return the mean difference of neighbours over the standard deviation."""
    across, down = image.diff(dim=-1).abs().mean(), image.diff(dim=-2).abs().mean()
    return float((across + down) / image.std())


def test_learning_brings_the_texture_of_the_scene() -> None:
    """An untrained network draws noise; a short training goes most of the way to smooth tiles."""
    changes = {"batch": 16, "learning_rate": 2e-3, "average": 0.9}
    before, after = (
        roughness(fitted(iterations=n, **changes).model.sample(32, steps=10).tiles)
        for n in (1, 200)
    )
    true = roughness(scene())
    assert after - true < 0.7 * (before - true)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"endmember": 3}, "did you mean 'endmembers'"),
        ({"preset": "papr"}, "did you mean 'paper'"),
        ({"endmembers": 12}, "12 endmembers cannot be found"),
        ({"iterations": 0}, "iterations=0 trains nothing"),
        ({"average": 1.0}, "average=1.0 is no decay"),
        ({"encoder": "nnls"}, "no encoder 'nnls'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], text: str) -> None:
    """Before any training, with the nearest right answer."""
    with pytest.raises(ParameterError, match=text):
        fitted(**settings)


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    """Resuming with other settings would be neither run."""
    path = tmp_path / "run.ckpt"
    fitted(checkpoint=path)
    with pytest.raises(RecordError, match="another run"):
        fitted(checkpoint=path, learning_rate=1e-3)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """The error says so, and the checkpoint from before still loads."""
    monkeypatch.setattr(training, "TrainingRun", partial(TrainingRun, checkpoint_every=1))
    path = tmp_path / "run.ckpt"
    with pytest.raises(ParameterError, match=r"loss is (nan|inf)(.|\n)*last checkpoint is kept"):
        fitted(checkpoint=path, learning_rate=1e30, clip_norm=1e30)
    state = torch.load(path, weights_only=True)
    assert all(bool(torch.isfinite(v).all()) for v in state["model"].values())
