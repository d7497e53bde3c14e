"""Laws of every pixel classifier; a new one is under them the day it is registered."""

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
from torch.nn import functional as F

from hsirepro.downstream import METHODS, MODELS, Fitted, model
from hsirepro.errors import ParameterError, PixelError, RecordError, ShapeError
from hsirepro.scenes.cube import make_cube
from hsirepro.training import TrainingRun, loop

BANDS, SIZE = 19, (11, 9)
CLASSES = (2, 5, 9)  # with gaps, and none of them 1


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def scene() -> torch.Tensor:
    return torch.rand(BANDS, *SIZE, generator=torch.Generator().manual_seed(1))


@cache
def shares() -> torch.Tensor:
    return torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2)).softmax(dim=0)


def marked() -> tuple[np.ndarray, np.ndarray]:
    """Labels of three classes and a hole, and a mask with 28 labelled training pixels."""
    labels = np.resize([2, 5, 9, 5, 2], SIZE)
    labels[4:6, 3:7] = 0
    train = np.zeros(SIZE, dtype=bool)
    train[::5] = train[4] = True  # some of them in the hole, some on the border
    return labels, train


def fit(name: str, cube=None, labels=None, train=None, **kwargs) -> Fitted:
    known, mask = marked()
    return METHODS[name](
        scene() if cube is None else cube,
        known if labels is None else labels,
        mask if train is None else train,
        **{"epochs": 2, "batch": 14, **kwargs},
    )


@cache
def fitted(name: str) -> Fitted:
    return fit(name, seed=3)


@cache
def fitted_with_abundances(name: str) -> Fitted:
    return fit(name, abundances=shares(), seed=3)


def contents(net: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


def test_every_model_has_its_method():
    """What is fitted can be named, and what is named can be rebuilt from a file."""
    assert METHODS.keys() == MODELS.keys()
    for name in METHODS:
        assert type(fitted(name).model) is MODELS[name]


@pytest.mark.parametrize("name", METHODS)
def test_the_contract_has_one_signature(name):
    """Whoever can call one method can call them all."""
    known = list(inspect.signature(METHODS[name]).parameters)
    assert known[:4] == ["cube", "labels", "train", "abundances"]
    assert known[4:] == ["seed", "device", "progress", "checkpoint", "preset", "settings"]


@pytest.mark.parametrize("name", METHODS)
def test_every_number_of_the_network_learns(name):
    """The loss has a finite slope by every weight, and none is without."""
    torch.manual_seed(0)
    classifier = MODELS[name](bands=BANDS, classes=CLASSES).eval()
    patches = torch.rand(6, BANDS, classifier.patch, classifier.patch)
    F.cross_entropy(classifier.logits(patches), torch.tensor([1, 2, 3, 1, 2, 3])).backward()
    for weight, value in classifier.net.named_parameters():
        assert torch.isfinite(value.grad).all(), weight
        assert value.grad.abs().max() > 0.0, weight


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_bytes(name):
    """One seed, one classifier, whatever was drawn before; another seed, another."""
    torch.rand(5)
    assert contents(fit(name, seed=3).model) == contents(fitted(name).model)
    assert contents(fit(name, seed=4).model) != contents(fitted(name).model)


@pytest.mark.parametrize("name", METHODS)
def test_randomness_of_the_caller_is_left_alone(name):
    """Whoever draws numbers around a fit draws what they would have drawn without it."""

    def numbers():
        return torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002

    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    expected = numbers()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    fit(name).model.classify(scene())
    assert numbers() == expected


@pytest.mark.parametrize("name", METHODS)
def test_resumed_is_uninterrupted(name, tmp_path, monkeypatch):
    """Killed after every step, amid epochs, and taken up again, a fit ends in the same bytes."""
    often = functools.partialmethod(TrainingRun.__init__, checkpoint_every=1)
    monkeypatch.setattr(TrainingRun, "__init__", often)
    whole = fitted(name)
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
            resumed = fit(name, seed=3, checkpoint=tmp_path / "state.ckpt")
            break
        except KeyboardInterrupt:
            continue
    assert kills == [1, 2, 3]
    assert contents(resumed.model) == contents(whole.model)
    assert resumed.curves.keys() == whole.curves.keys()
    for curve, values in whole.curves.items():
        np.testing.assert_array_equal(resumed.curves[curve], values)


@pytest.mark.parametrize("name", METHODS)
def test_checkpoint_of_another_run_is_refused(name, tmp_path):
    """Other pixels, other labels or abundances are another run, even with the same settings."""
    state = tmp_path / "state.ckpt"
    labels, train = marked()
    fit(name, checkpoint=state)
    swapped = np.where(labels == 2, 5, np.where(labels == 5, 2, labels))
    for other in (
        {"cube": scene() ** 2},
        {"labels": swapped},
        {"train": train & (np.arange(SIZE[0]) < 10)[:, None]},
        {"abundances": shares()},
        {"seed": 1},
    ):
        with pytest.raises(RecordError, match="belongs to another run"):
            fit(name, checkpoint=state, **other)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("find", [fitted, fitted_with_abundances])
def test_model_from_a_file_classifies_the_same(name, find):
    """The shape, as JSON, and the weights, without code, are all that a classifier is."""
    maps = shares() if find is fitted_with_abundances else None
    known = find(name).model
    stream = io.BytesIO()
    torch.save(known.state_dict(), stream)
    stream.seek(0)
    empty = MODELS[name](**json.loads(json.dumps(known.shape)))
    empty.load_state_dict(torch.load(stream, weights_only=True))
    np.testing.assert_array_equal(
        empty.classify(10.0 * scene() - 3.0, maps), known.classify(10.0 * scene() - 3.0, maps)
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("size", [SIZE, (5, 23), (17, 8)])
def test_every_pixel_has_one_of_the_classes(name, size):
    """Scenes of any size, odd or narrow, beyond the values of the training too."""
    cube = 3.0 * torch.randn(BANDS, *size, generator=torch.Generator().manual_seed(4))
    before = contents(fitted(name).model)
    given = fitted(name).model.classify(cube)
    assert given.shape == size
    assert given.dtype == np.int64
    assert set(np.unique(given)) <= set(CLASSES)
    assert contents(fitted(name).model) == before


@pytest.mark.parametrize("name", METHODS)
def test_classes_without_training_pixels_are_never_given(name):
    """A class that nobody has shown is not known, although the labels hold it."""
    labels, train = marked()
    found = fit(name, train=train & (labels != 5)).model
    assert found.classes == (2, 9)
    assert set(np.unique(found.classify(scene()))) <= {2, 9}


@pytest.mark.parametrize("name", METHODS)
def test_labels_of_the_test_are_not_seen(name):
    """What stands at pixels that are not for training changes nothing, not even beside one."""
    labels, train = marked()
    other = np.where(train, labels, np.where(labels == 2, 9, 2))
    assert contents(fit(name, labels=other, seed=3).model) == contents(fitted(name).model)


@pytest.mark.parametrize("name", METHODS)
def test_training_pixels_are_a_set(name):
    """A mask and its pixel numbers, in any order and repeated, say the same."""
    numbers = marked()[1].ravel().nonzero()[0]
    again = torch.from_numpy(np.concatenate([numbers[::-1], numbers[:3]]))
    assert contents(fit(name, train=again, seed=3).model) == contents(fitted(name).model)


@pytest.mark.parametrize("name", METHODS)
def test_the_unit_of_the_cube_is_of_no_account(name):
    """Counts or reflectance: a cube 4096 times as bright leads to the same network."""
    bright = fit(name, 4096.0 * scene(), seed=3).model
    assert contents(bright.net) == contents(fitted(name).model.net)
    np.testing.assert_array_equal(
        bright.classify(4096.0 * scene()), fitted(name).model.classify(scene())
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_labelled_cube_is_its_tensor(name):
    """Axes go by name, so that a cube may come in any order of them."""
    cube = make_cube(scene().permute(1, 2, 0).numpy(), None).transpose("wavelength", "x", "y")
    assert contents(fit(name, cube, seed=3).model) == contents(fitted(name).model)
    np.testing.assert_array_equal(
        fitted(name).model.classify(cube), fitted(name).model.classify(scene())
    )


@pytest.mark.parametrize("name", METHODS)
def test_beyond_the_border_lies_the_mirrored_scene(name):
    """The map of a scene that goes on mirrored is the map of the scene, out to its border."""
    known = fitted(name).model
    around = known.patch // 2
    larger = F.pad(scene()[None], [around] * 4, mode="reflect")[0]
    inner = known.classify(larger)[around:-around, around:-around]
    np.testing.assert_array_equal(inner, known.classify(scene()))


@pytest.mark.parametrize("name", METHODS)
def test_pixels_are_classified_a_few_at_a_time(name, monkeypatch):
    """However large the scene, the network holds one chunk; how large that is changes no class."""
    known = fitted(name).model
    at_once = known.classify(scene())
    seen = []
    logits = known.logits

    def counted(patches):
        seen.append(len(patches))
        return logits(patches)

    monkeypatch.setattr(known, "logits", counted)
    monkeypatch.setattr(model, "CHUNK", 13)
    np.testing.assert_array_equal(known.classify(scene()), at_once)
    assert max(seen) == 13
    assert sum(seen) == scene()[0].numel()


@pytest.mark.parametrize("name", METHODS)
def test_settings_and_curves_can_be_recorded(name):
    """Every setting is what JSON can hold, and there is one entry of each curve per epoch."""
    found = fitted(name)
    assert json.loads(json.dumps(found.settings)) == found.settings
    assert found.settings["batch"] == 14
    assert found.curves["iteration"].tolist() == [2.0, 4.0]  # 25 pixels by 14
    np.testing.assert_array_equal(found.curves["loss"], found.curves["cross-entropy"])
    assert ((found.curves["validation"] >= 0.0) & (found.curves["validation"] <= 1.0)).all()
    assert found.curves["learning_rate"][0] == found.settings["learning_rate"]


@pytest.mark.parametrize("name", METHODS)
def test_one_pixel_per_class_is_enough(name):
    """Two training pixels, batches of one: it trains, with nothing left for validation."""
    labels = np.zeros(SIZE, dtype=np.int32)
    labels[0, 0], labels[5, 4] = 1, 2
    found = fit(name, labels=labels, train=labels > 0, batch=1)
    assert np.isfinite(found.curves["loss"]).all()
    assert np.isnan(found.curves["validation"]).all()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"epoch": 3}, "no setting 'epoch'.\n  hint  did you mean 'epochs'?"),
        ({"preset": "papre"}, "no preset 'papre'.\n  hint  did you mean 'paper'?"),
        ({"epochs": 0}, "epochs=0 trains nothing.\n  next step  give a whole number from 1 on"),
        ({"batch": 2.5}, "batch=2.5 trains nothing.\n  next step  give a whole number from 1 on"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 and weight_decay="),
        ({"weight_decay": float("nan")}, "weight_decay=nan: the first must be above 0"),
        ({"device": "cdua"}, "Unknown device 'cdua'.\n  hint  did you mean 'cuda'?"),
    ],
)
def test_bad_settings_are_named(name, settings, text):
    """A slip in a setting is answered with what there is."""
    with pytest.raises(ParameterError) as caught:
        fit(name, **settings)
    assert text in str(caught.value)


def with_nan() -> torch.Tensor:
    cube = scene().clone()
    cube[7, 2, 4] = float("nan")
    return cube


BAD = [
    (
        PixelError,
        {"cube": with_nan()},
        "The cube holds NaN or infinite values.\n"
        "  first at   row 2, column 4, channel 7\n"
        "  next step  fill them, and set the labels there to 0",
    ),
    (PixelError, {"cube": torch.ones(BANDS, *SIZE)}, "holds 1 everywhere: no class differs"),
    (ShapeError, {"cube": scene()[0]}, "The cube has shape (11, 9); (L, H, W) is needed"),
    (
        ShapeError,
        {"cube": make_cube(scene().permute(1, 2, 0).numpy(), None).rename(x="lon")},
        "axes y, lon, wavelength, not y, x, wavelength",
    ),
    (ShapeError, {"cube": scene()[:, :2]}, "A scene of 2 x 9 pixels has no room for patches of"),
    (
        ShapeError,
        {"labels": np.ones((9, 11), dtype=int)},
        "The labels have 9 x 11 pixels, the cube 11 x 9.\n  next step  give labels of this scene",
    ),
    (ShapeError, {"labels": np.ones(99, dtype=int)}, "The labels have shape (99,); (H, W) is"),
    (ParameterError, {"labels": np.full(SIZE, -1)}, "The labels are int64 from -1 on; whole"),
    (ParameterError, {"labels": np.ones(SIZE)}, "The labels are float64 from 1.0 on; whole"),
    (
        ParameterError,
        {"train": np.zeros(SIZE, dtype=bool)},
        "The 0 labelled training pixels are of 0 class(es) (none); a classifier needs two.\n"
        "  next step  hsirepro.downstream.splits(labels, per_class) draws training pixels",
    ),
    (ParameterError, {"train": np.array([], dtype=int)}, "The 0 labelled training pixels are"),
    (ParameterError, {"train": np.array([4 * 9 + 3])}, "The 0 labelled training pixels are"),
    (ParameterError, {"train": np.array([0, 4])}, "The 2 labelled training pixels are of 1 class"),
    (
        ShapeError,
        {"train": np.array([99])},
        "int64 of shape (1,); this scene takes a mask of bool, 11 x 9, or a list of pixel numbers "
        "from 0 to 98.",
    ),
    (ShapeError, {"train": np.ones((9, 11), dtype=bool)}, "bool of shape (9, 11); this scene"),
    (
        ShapeError,
        {"abundances": shares()[:, :, :-1]},
        "The abundances have 11 x 8 pixels, the cube 11 x 9.",
    ),
    (ShapeError, {"abundances": shares()[0]}, "abundance maps has shape (11, 9); (p, H, W) is"),
    (
        PixelError,
        {"abundances": torch.full((2, *SIZE), float("inf"))},
        "The stack of abundance maps holds NaN or infinite values.\n  first at   row 0, column 0",
    ),
]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("error", "given", "text"), BAD)
def test_bad_input_is_named_before_work_starts(name, error, given, text, monkeypatch):
    """The thing, the place and the next step; no training has begun."""
    monkeypatch.setattr(TrainingRun, "__init__", lambda *_: pytest.fail("work has started"))
    with pytest.raises(error) as caught:
        fit(name, **given)
    assert text in str(caught.value)


@pytest.mark.parametrize("name", METHODS)
def test_another_scene_must_fit_the_classifier(name):
    """Other bands, abundances that are missing, too many or of no use: each is named."""
    plain, mixed = fitted(name).model, fitted_with_abundances(name).model
    for known, given, text in (
        (plain, (scene()[:-1],), f"The cube has {BANDS - 1} bands; this classifier was fitted to"),
        (plain, (scene(), shares()), "3 abundance maps are given; this classifier was fitted to 0"),
        (mixed, (scene(),), "0 abundance maps are given; this classifier was fitted to 3"),
        (mixed, (scene(), shares()[:2]), "2 abundance maps are given; this classifier was fitted"),
        (plain, (scene()[:, :, :2],), "A scene of 11 x 2 pixels has no room for patches of"),
    ):
        with pytest.raises(ShapeError) as caught:
            known.classify(*given)
        assert text in str(caught.value)
        assert "next step" in str(caught.value)
    with pytest.raises(PixelError, match="first at   row 2, column 4, channel 7"):
        plain.classify(with_nan())


@pytest.mark.parametrize("name", [name for name in METHODS if MODELS[name].fewest > 1])
def test_too_few_bands_are_named(name):
    """A network that needs depth says how much; abundances count."""
    few = MODELS[name].fewest - 1
    with pytest.raises(ShapeError, match=f"needs {few + 1} channels or more; here are {few} bands"):
        fit(name, scene()[:few])
    fit(name, scene()[:few], abundances=shares()[:1])
