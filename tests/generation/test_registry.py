"""Laws of every generative method; a new one is under them the day it is registered."""

from __future__ import annotations

import functools
import inspect
import io
import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, RecordError
from hsirepro.generation import METHODS, MODELS, Fitted, Generator, Patches
from hsirepro.scenes.simulate import simulate
from hsirepro.training import TrainingRun, loop

NM = np.linspace(460.0, 860.0, 7)
SIZE = 8
# One line per method: as short and as narrow as it goes, with an odd batch.
SHORT: dict[str, dict] = {
    "hud": {"endmembers": 3, "layout": {"widths": (8, 16), "groups": 4}},
    "unmixdiff": {
        "endmembers": 3,
        "unmixing_iterations": 2,
        "layout": {"widths": (8, 16), "groups": 4},
    },
    "ubf": {
        "endmembers": 3,
        "unmixing_iterations": 2,
        "layout": {"widths": (8, 16), "groups": 4},
    },
    "mprnet": {"width": 2},
    "vae": {"width": 4, "latent": 5},
    "wgan-gp": {"width": 4, "critic_steps": 2},
}
SAMPLED: dict[str, dict] = {name: {"steps": 2} for name in ("hud", "unmixdiff", "ubf")}
# The null models learn nothing, and have tests of their own.
TRAINED = [name for name in METHODS if not name.startswith("null-")]


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def planted(sides=((24, 20), (9, 17))) -> list[Tensor]:
    """Two images of seven bands, of which the first holds a dead band and a glint."""
    images = [
        torch.from_numpy(simulate(size=size, wavelengths=NM, seed=1).cube.values.copy())
        for size in sides
    ]
    images[0][:, :, 4] = 0.0
    images[0][3, 5] = 3.0
    return [image.permute(2, 0, 1).clamp_min(0.0) for image in images]


def fit(name: str, patches: Patches | None = None, **kwargs) -> Fitted:
    from hsirepro.generation.diffusion import Layout

    settings = {"iterations": 3, "batch": 3, **SHORT.get(name, {}), **kwargs}
    if isinstance(settings.get("layout"), dict):
        settings["layout"] = Layout(**settings["layout"])
    return METHODS[name](patches or Patches(planted(), SIZE, NM), **settings)


def draw(name: str, model: Generator, count: int = 3, **kwargs):
    return model.sample(count, **{**SAMPLED.get(name, {}), **kwargs})


@cache
def fitted(name: str) -> Fitted:
    return fit(name, seed=3)


def contents(model: Generator) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_every_model_has_its_method():
    """What is fitted can be named, and what is named can be rebuilt from a file."""
    assert METHODS.keys() == MODELS.keys()
    assert set(TRAINED) == SHORT.keys()
    for name in TRAINED:
        assert type(fitted(name).model) is MODELS[name]


@pytest.mark.parametrize("name", TRAINED)
def test_the_contract_has_one_signature(name):
    """Whoever can call one method can call them all."""
    known = inspect.signature(METHODS[name]).parameters
    assert next(iter(known)) == "patches"
    assert {"seed", "device", "progress", "checkpoint", "preset"} <= known.keys()


@pytest.mark.parametrize("name", TRAINED)
def test_tiles_are_reflectance_of_the_asked_shape(name):
    """An odd number of tiles, seven bands, dead bands and glints: every value is a reflectance."""
    drawn = draw(name, fitted(name).model, 5)
    assert drawn.tiles.shape == (5, 7, SIZE, SIZE)
    assert drawn.tiles.dtype == torch.float32
    assert drawn.tiles.device.type == "cpu"
    assert not drawn.tiles.requires_grad
    assert torch.isfinite(drawn.tiles).all()
    assert drawn.tiles.min() >= 0.0
    assert drawn.tiles.std() > 0.0
    if drawn.abundances is not None:
        assert drawn.abundances.shape[0::2] == (5, SIZE)
        assert drawn.abundances.min() >= 0.0
        torch.testing.assert_close(
            drawn.abundances.sum(dim=1), torch.ones(5, SIZE, SIZE), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("name", TRAINED)
def test_same_seed_same_bytes(name):
    """One seed, one model and one set of tiles, whatever was drawn before; another, others."""
    torch.rand(5)
    again = fit(name, seed=3)
    model = fitted(name).model
    assert contents(again.model) == contents(model)
    tiles = draw(name, model, seed=7).tiles
    assert torch.equal(tiles, draw(name, again.model, seed=7).tiles)
    assert not torch.equal(tiles, draw(name, model, seed=8).tiles)
    assert contents(fit(name, seed=4).model) != contents(model)


@pytest.mark.parametrize("name", TRAINED)
def test_drawing_changes_nothing(name):
    """A model that has drawn is the model that it was."""
    model = fitted(name).model
    before = contents(model)
    draw(name, model)
    assert contents(model) == before


@pytest.mark.parametrize("name", TRAINED)
def test_randomness_of_the_caller_is_left_alone(name):
    """Whoever draws numbers around a fit draws what they would have drawn without it."""

    def numbers():
        return torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002

    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    expected = numbers()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    draw(name, fit(name).model)
    assert numbers() == expected


@pytest.mark.parametrize("name", TRAINED)
def test_resumed_is_uninterrupted(name, tmp_path, monkeypatch):
    """Killed after every checkpoint and taken up again, a fit ends in the same bytes."""
    often = functools.partialmethod(TrainingRun.__init__, checkpoint_every=1, log_every=1)
    monkeypatch.setattr(TrainingRun, "__init__", often)
    whole = fit(name, seed=3)
    save, kills = loop.save_checkpoint, []

    def save_and_die(state: dict, path: Path) -> None:
        save(state, path)
        if state["done"] < 3:
            kills.append(state["done"])
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", save_and_die)
    for _ in range(20):
        torch.rand(3)  # the next process starts with other random numbers
        try:
            resumed = fit(name, seed=3, checkpoint=tmp_path / "state.ckpt")
            break
        except KeyboardInterrupt:
            continue
    assert kills[:2] == [1, 2]
    assert contents(resumed.model) == contents(whole.model)
    assert resumed.curves.keys() == whole.curves.keys()
    for curve, values in whole.curves.items():
        np.testing.assert_array_equal(resumed.curves[curve], values)


@pytest.mark.parametrize("name", TRAINED)
def test_checkpoint_of_another_run_is_refused(name, tmp_path):
    """Another scene or another size of tiles is another run, even with the same settings."""
    state = tmp_path / "state.ckpt"
    images = planted(((24, 20), (16, 17)))
    fit(name, Patches(images, SIZE, NM), checkpoint=state)
    brighter = [1.1 * image for image in images]
    for patches in (Patches(brighter, SIZE, NM), Patches(images, 2 * SIZE, NM)):
        with pytest.raises(RecordError, match="belongs to another run"):
            fit(name, patches, checkpoint=state)


@pytest.mark.parametrize("name", TRAINED)
def test_model_from_a_file_draws_the_same(name):
    """The shape, as JSON, and the weights, without code, are all that a model is."""
    model = fitted(name).model
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    stream.seek(0)
    empty = MODELS[name](**json.loads(json.dumps(model.shape)))
    empty.load_state_dict(torch.load(stream, weights_only=True))
    assert empty.size == model.size
    assert torch.equal(draw(name, empty).tiles, draw(name, model).tiles)


@pytest.mark.parametrize("name", TRAINED)
def test_settings_and_curves_can_be_recorded(name):
    """Every setting is what JSON can hold, and the loss is the sum of its terms."""
    found = fitted(name)
    assert json.loads(json.dumps(found.settings)) == found.settings
    assert found.settings["batch"] == 3
    apart = ("iteration", "loss", "stage")
    terms = [
        values
        for curve, values in found.curves.items()
        if curve not in apart and not curve.startswith("unmixing_")  # a training of its own
    ]
    assert terms
    np.testing.assert_allclose(sum(terms), found.curves["loss"])
    assert found.curves["iteration"].tolist() == [3.0]


@pytest.mark.parametrize("name", TRAINED)
def test_batch_of_one_is_a_batch(name):
    """Batches of a single tile train too."""
    tiles = draw(name, fit(name, batch=1).model, 1).tiles
    assert torch.isfinite(tiles).all()


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"iteratons": 3}, "no setting 'iteratons'.\n  hint  did you mean 'iterations'?"),
        ({"preset": "smal"}, "no preset 'smal'.\n  hint  did you mean 'small'?"),
        ({"iterations": 0}, "iterations=0 trains nothing.\n  next step  give 1 or more"),
        ({"batch": 0}, "batch=0 trains nothing.\n  next step  give 1 or more"),
        ({"average": 1.0}, "average=1.0 is no decay."),
        ({"device": "cdua"}, "Unknown device 'cdua'.\n  hint  did you mean 'cuda'?"),
        ({"precision": "bf61"}, "Unknown precision 'bf61'.\n  hint  did you mean 'bf16'?"),
    ],
)
def test_bad_settings_are_named(name, settings, text):
    """A slip in a setting is answered with what there is."""
    with pytest.raises(ParameterError) as caught:
        fit(name, **settings)
    assert text in str(caught.value)


@pytest.mark.parametrize("name", TRAINED)
def test_impossible_drawing_is_named(name):
    """No tile, or a way of drawing that there is not: refused, with the way on."""
    model = fitted(name).model
    with pytest.raises(ParameterError, match=r"0 tiles cannot be drawn\.\n  next step  ask for 1"):
        model.sample(0)
    with pytest.raises(ParameterError, match=r"no way 'colour' of drawing\.\n  next step  give"):
        model.sample(1, colour="red")
