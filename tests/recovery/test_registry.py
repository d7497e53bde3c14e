"""Laws of every recovery method; a new one is under them the day it is registered."""

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

from hsirepro.errors import ParameterError, PixelError, RecordError, ShapeError
from hsirepro.recovery import METHODS, Fitted, Pairs, Recoverer
from hsirepro.recovery.training import band_psnr
from hsirepro.scenes.libraries import make_library
from hsirepro.scenes.materials import MATERIALS, endmember_spectra
from hsirepro.scenes.simulate import simulate
from hsirepro.training import TrainingRun, loop

NM = np.linspace(460.0, 860.0, 7)
RED_GREEN_BLUE = [3, 1, 0]  # of these bands
# One line per method: as short and as narrow as it goes.
SHORT: dict[str, dict] = {
    "hscnn-r": {"width": 6, "blocks": 2},
    "hscnn-d": {"towers": 2, "blocks": 1},
    "fmnet": {"width": 4, "blocks": 1, "bases": 2},
    "hsrnet": {"features": 7, "width": 5, "stages": 2},
    "r2hgan": {"width": 4, "levels": 3, "spatial": 2, "spectral": 4},
    "pdass": {"width": 2, "critic_width": 2, "crop": 64},
    "inss": {"width": 2, "critic_width": 2, "crop": 64, "hidden": (3,)},
}
NETWORKS = tuple(SHORT)
MIXING = ("pdass", "inss")  # methods that mix the spectra of a library
LIBRARY = make_library(endmember_spectra(MATERIALS, NM), tuple(MATERIALS), NM, np.full(7, 60.0))


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def planted(*sides: tuple[int, int], seed: int = 1) -> Pairs:
    """Pairs of seven bands, of which the first holds a dead band and a glint."""
    scenes = [simulate(size=size, wavelengths=NM, seed=seed) for size in sides]
    images = [torch.from_numpy(scene.cube.values.copy()).permute(2, 0, 1) for scene in scenes]
    images[0][4] = 0.0
    images[0][:, 3, 5] = 3.0
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, NM)


@cache
def pairs() -> Pairs:
    return planted((68, 65), (64, 71))


@cache
def unseen() -> Pairs:
    return planted((37, 41), seed=2)


def fit(name: str, given: Pairs | None = None, **kwargs) -> Fitted:
    settings = {"iterations": 3, "batch": 3, "crop": 16, **SHORT[name], **kwargs}
    if name in MIXING:
        settings["library"] = LIBRARY
    return METHODS[name](given or pairs(), **settings)


@cache
def fitted(name: str) -> Fitted:
    return fit(name, validation=unseen(), seed=3, validate_every=1)


def contents(model: Recoverer) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def colours(rows: int, columns: int) -> Tensor:
    return torch.rand(3, rows, columns, generator=torch.Generator().manual_seed(0))


def test_every_method_is_tested():
    """What is registered stands in the table above; the regression has no training to test."""
    assert METHODS.keys() == SHORT.keys() | {"regression"}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_contract_has_one_signature(name):
    """Whoever can call one method can call them all."""
    known = inspect.signature(METHODS[name]).parameters
    assert next(iter(known)) == "pairs"
    asked = ("validation", "seed", "device", "progress", "checkpoint", "preset")
    assert [known[keyword].kind for keyword in asked] == [inspect.Parameter.KEYWORD_ONLY] * 6


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(37, 41), (64, 33), (5, 3), (1, 1)])
def test_spectra_stand_on_their_pixels(name, size):
    """Images of any size, odd and tiny ones too: a finite spectrum for every pixel."""
    made = fitted(name).model.reconstruct(colours(*size))
    assert made.image.shape == (7, *size)
    assert made.image.dtype == torch.float32
    assert made.image.device.type == "cpu"
    assert not made.image.requires_grad
    assert torch.isfinite(made.image).all()
    if made.abundances is not None:
        assert made.abundances.shape[1:] == size
        assert made.abundances.min() >= 0.0
        torch.testing.assert_close(made.abundances.sum(dim=0), torch.ones(size), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_spectra_depend_on_colours(name):
    """Two images, two results; and so do two pixels of one image."""
    model = fitted(name).model
    image = model.reconstruct(colours(32, 32)).image
    assert image.flatten(1).std(dim=1).max() > 0.0
    assert not torch.equal(image, model.reconstruct(1.0 - colours(32, 32)).image)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name):
    """No parameter is out of reach of the loss, and no gradient is infinite."""
    model = fitted(name).last.train()
    parts = model.parts(torch.stack([colours(64, 64), 1.0 - colours(64, 64)]))
    assert parts["image"].shape == (2, 7, 64, 64)
    torch.stack([part.square().mean() for part in parts.values()]).sum().backward()
    for parameter, weight in model.named_parameters():
        assert weight.grad is not None, parameter
        assert torch.isfinite(weight.grad).all(), parameter
    model.zero_grad(set_to_none=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_same_bytes(name):
    """One seed, one model, whatever was drawn before; another seed, another model."""
    torch.rand(5)
    again = fit(name, validation=unseen(), seed=3, validate_every=1)
    assert contents(again.model) == contents(fitted(name).model)
    other = fit(name, validation=unseen(), seed=4, validate_every=1)
    assert contents(other.model) != contents(fitted(name).model)


@pytest.mark.parametrize("name", NETWORKS)
def test_recovering_changes_nothing(name):
    """One seed, one result; neither the model nor the caller's random numbers notice."""
    model = fitted(name).model
    before = contents(model)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = model.reconstruct(colours(33, 20), seed=7).image
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(model.reconstruct(colours(33, 20), seed=7).image, first)
    assert contents(model) == before


@pytest.mark.parametrize("name", NETWORKS)
def test_randomness_of_the_caller_is_left_alone(name):
    """Whoever draws numbers around a fit draws what they would have drawn without it."""

    def numbers():
        return torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002

    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    expected = numbers()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    fit(name)
    assert numbers() == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_resumed_is_uninterrupted(name, tmp_path, monkeypatch):
    """Killed after every checkpoint and taken up again, a fit ends in the same bytes."""
    often = functools.partialmethod(TrainingRun.__init__, checkpoint_every=1)
    monkeypatch.setattr(TrainingRun, "__init__", often)
    how = {"validation": unseen(), "seed": 3, "validate_every": 1, "iterations": 4}
    whole = fit(name, **how)
    save, kills = loop.save_checkpoint, []

    def save_and_die(state: dict, path: Path) -> None:
        save(state, path)
        if state["done"] < 4:
            kills.append(state["done"])
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", save_and_die)
    for _ in range(20):
        torch.rand(3)  # the next process starts with other random numbers
        try:
            resumed = fit(name, checkpoint=tmp_path / "state.ckpt", **how)
            break
        except KeyboardInterrupt:
            continue
    assert kills == [1, 2, 3]
    assert contents(resumed.model) == contents(whole.model)
    assert contents(resumed.last) == contents(whole.last)
    assert resumed.curves.keys() == whole.curves.keys()
    for curve, values in whole.curves.items():
        np.testing.assert_array_equal(resumed.curves[curve], values)


@pytest.mark.parametrize("name", NETWORKS)
def test_checkpoint_of_another_run_is_refused(name, tmp_path):
    """Another scene, or other validation, is another run, even with the same settings."""
    state = tmp_path / "state.ckpt"
    fit(name, validation=unseen(), checkpoint=state)
    brighter = Pairs(pairs().rgb, [1.1 * image for image in pairs().hsi], NM)
    for given, seen in ((brighter, unseen()), (pairs(), planted((37, 41), seed=3))):
        with pytest.raises(RecordError, match="belongs to another run"):
            fit(name, given, validation=seen, checkpoint=state)


@pytest.mark.parametrize("name", NETWORKS)
def test_model_from_a_file_is_the_same(name):
    """The shape, as JSON, and the weights, without code, are all that a model is."""
    model = fitted(name).model
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    stream.seek(0)
    empty = type(model)(**json.loads(json.dumps(model.shape)))
    assert (empty.bands, empty.multiple) == (7, model.multiple)
    empty.load_state_dict(torch.load(stream, weights_only=True))
    ours, theirs = (each.reconstruct(colours(33, 20)).image for each in (model, empty))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", NETWORKS)
def test_settings_and_curves_can_be_recorded(name):
    """Every setting is what JSON can hold, and the loss is the sum of its terms."""
    found = fit(name, iterations=1)
    assert json.loads(json.dumps(found.settings)) == found.settings
    assert found.settings["batch"] == 3
    assert found.curves["iteration"].tolist() == [1.0]
    terms = [values for curve, values in found.curves.items() if curve not in ("iteration", "loss")]
    np.testing.assert_allclose(sum(terms), found.curves["loss"], rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_best_model_is_kept(name):
    """What is returned does on the validation pairs what the best entry of its curve says."""
    found = fitted(name)
    truth = unseen()
    scores = [
        band_psnr(model.reconstruct(truth.rgb[0]).image, truth.hsi[0])
        for model in (found.model, found.last)
    ]
    assert scores[0] == pytest.approx(found.curves["validation_psnr"].max(), abs=1e-3)
    assert scores[1] == pytest.approx(found.curves["validation_psnr"][-1], abs=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_of_one_is_a_batch(name):
    """Batches of a single crop train too, or say why they cannot."""
    if name in MIXING:
        with pytest.raises(ParameterError, match="single coarsest feature"):
            fit(name, batch=1, crop=32)
        return
    assert np.isfinite(fit(name, batch=1).curves["loss"]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_matters_beyond_its_reach(name):
    """Where a method names its reach, tiles that share as much give what the whole image gives."""
    model = fitted(name).model
    reach = getattr(model, "reach", None)
    if reach is None:
        pytest.skip(f"{name} looks at the whole image, or draws at random")
    overlap = 2 * reach + (2 * reach) % 2
    rgb = colours(3 * overlap + 5, 2 * overlap + 1)
    whole = model.reconstruct(rgb).image
    tiled = model.reconstruct(rgb, tile=2 * overlap, overlap=overlap).image
    torch.testing.assert_close(tiled, whole, atol=1e-6, rtol=1e-5)
    too_little = model.reconstruct(rgb, tile=2 * overlap, overlap=0).image
    assert not torch.allclose(too_little, whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("image", "error", "text"),
    [
        (torch.rand(1, 8, 8), ShapeError, r"\(1, 8, 8\) is grey; \(3, rows, columns\) is needed"),
        (torch.rand(4, 8, 8), ShapeError, r"of four channels, the fourth perhaps alpha"),
        (torch.rand(8, 8), ShapeError, r"\(8, 8\) is grey"),
        (torch.rand(3, 8, 8).log().neg().sqrt().index_fill(1, torch.tensor([2]), torch.nan),
         PixelError, "8 pixels of the colour image are NaN or infinite"),
    ],
)  # fmt: skip
def test_unfit_images_are_refused(name, image, error, text):
    """Grey, RGBA and NaN are refused with what they are."""
    with pytest.raises(error, match=text):
        fitted(name).model.reconstruct(image)


@pytest.mark.parametrize("name", NETWORKS)
def test_unfit_pairs_are_refused(name):
    """Crops larger than an image, and validation of other bands, are named before any work."""
    with pytest.raises(ParameterError, match=r"A crop of 128 x 128 pixels .* side has 64\.\n"):
        fit(name, crop=128)
    fewer = Pairs(unseen().rgb, [image[:5] for image in unseen().hsi], NM[:5])
    with pytest.raises(ShapeError, match="images have 7 bands, those for validation 5"):
        fit(name, validation=fewer)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"iteratons": 3}, "no setting 'iteratons'.\n  hint  did you mean 'iterations'?"),
        ({"preset": "smal"}, "no preset 'smal'.\n  hint  did you mean 'small'?"),
        ({"iterations": 0}, "iterations=0 trains nothing.\n  next step  give 1 or more"),
        ({"batch": 0}, "batch=0 trains nothing.\n  next step  give 1 or more"),
        ({"crop": 0}, "crop=0 is too few.\n  next step  give 1 or more"),
        ({"validate_every": 0}, "validate_every=0 is too few.\n  next step  give 1 or more"),
        ({"device": "cdua"}, "Unknown device 'cdua'.\n  hint  did you mean 'cuda'?"),
        ({"precision": "bf61"}, "Unknown precision 'bf61'.\n  hint  did you mean 'bf16'?"),
    ],
)
def test_bad_settings_are_named(name, settings, text):
    """A slip in a setting is answered with what there is."""
    with pytest.raises(ParameterError) as caught:
        fit(name, **settings)
    assert text in str(caught.value)
