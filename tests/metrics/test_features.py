"""FID, inception score, precision and recall on known clouds, and the net that makes features."""

from __future__ import annotations

import io
import random
import warnings
from functools import cache, partial

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, RecordError, ShapeError
from hsirepro.metrics import (
    TileClassifier,
    classifier,
    features,
    frechet_distance,
    inception_score,
    kmeans_labels,
    precision_recall,
    train_classifier,
)
from hsirepro.metrics.crops import majority, split
from hsirepro.scenes import open_scene, to_tensor
from hsirepro.training import TrainingRun


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cloud(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Return correlated points, as features are."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, columns)) @ np.random.default_rng(9).random(
        (columns, columns)
    )


# Fréchet distance


def test_frechet_distance_is_that_of_the_matrix_square_root():
    """The formula with SciPy's square root of a matrix, on clouds of other shape and place."""
    a, b = cloud(60, 5), 0.7 * cloud(80, 5, seed=1) ** 2 + 3.0
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(ca @ cb).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(ca + cb - 2 * root)
    found = frechet_distance(a, torch.from_numpy(b))
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found[1:] == (60, 80, 5)


def test_frechet_distance_of_a_set_with_itself_is_zero():
    """Also where the covariance is singular, and the features lie far from the origin."""
    a = cloud(200, 6)
    flat = np.concatenate([a, a[:, :2], np.ones((200, 3))], axis=1)
    for points in (a, flat, 1e4 + flat, np.zeros((200, 4))):
        assert 0.0 <= frechet_distance(points, points[::-1].copy()).value < 1e-5
    assert frechet_distance(1e6 + a, 1e6 + a + 1.0).value == pytest.approx(6.0, rel=1e-6)


def test_frechet_distance_grows_with_what_was_planted():
    """A shift d adds |d|^2; a stretch by s of one set adds (s - 1)^2 of the other's variance."""
    a = cloud(100, 4)
    shifts = [frechet_distance(a + shift, a).value for shift in (0.1, 0.3, 1.0, 3.0)]
    np.testing.assert_allclose(shifts, [4 * s**2 for s in (0.1, 0.3, 1.0, 3.0)], rtol=1e-5)
    centred = a - a.mean(0)
    total = np.cov(a.T).trace()
    for s in (0.5, 2.0):
        found = frechet_distance(s * centred, centred).value
        assert found == pytest.approx((s - 1) ** 2 * total, rel=1e-6)


def test_frechet_distance_is_that_of_clouds_not_of_axes():
    """Another order of images, a rotation or a shift of both clouds: the same distance."""
    a, b = cloud(50, 4), cloud(70, 4, seed=1) + 0.5
    once = frechet_distance(a, b).value
    Q = np.linalg.qr(cloud(4, 4, seed=2))[0]
    assert frechet_distance(b, a).value == pytest.approx(once, rel=1e-6)
    assert frechet_distance(a[::-1] @ Q + 7.0, b @ Q + 7.0).value == pytest.approx(once, rel=1e-6)
    assert frechet_distance(3 * a, 3 * b).value == pytest.approx(9 * once, rel=1e-6)


def test_few_images_are_told():
    """With fewer than 2 D images the covariances are not known, and whoever asks is told so."""
    with pytest.warns(UserWarning, match=r"FID of 9 generated and 30 real images in 5 dimensions"):
        few = frechet_distance(cloud(9, 5), cloud(30, 5))
    assert few[1:] == (9, 30, 5)
    with pytest.warns(UserWarning, match="fewer than 40 images"):
        assert np.isfinite(frechet_distance(cloud(3, 20), cloud(4, 20)).value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet_distance(cloud(10, 5), cloud(10, 5, seed=1))


# Inception score


def test_inception_score_is_that_of_the_formula():
    """The exponential of the mean divergence from the mean distribution, in one part."""
    logits = 2.0 * cloud(40, 3)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0))), axis=1)))
    found = inception_score(logits, splits=1)
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert np.isnan(found.spread)
    assert found.generated == 40


@pytest.mark.parametrize("scale", [30.0, 600.0])
def test_bounds_of_the_inception_score(scale):
    """One answer for all images scores 1; sure answers, all classes alike, score their number."""
    rows = scale * torch.eye(5).repeat(4, 1)
    assert inception_score(rows, splits=1).value == pytest.approx(5.0)
    assert inception_score(rows[:1].repeat(20, 1), splits=4)[:2] == (1.0, 0.0)
    assert inception_score(0.0 * rows, splits=1).value == pytest.approx(1.0)


def test_parts_of_the_inception_score_are_drawn_by_the_seed():
    """The same seed draws the same parts, whatever was drawn before; nobody else's draws change."""
    rows = cloud(40, 6)
    before = torch.get_rng_state()
    first = inception_score(rows, splits=8, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.randn(3)
    assert inception_score(rows, splits=8, seed=1) == first
    assert inception_score(rows, splits=8, seed=2) != first
    assert first.spread > 0
    assert first.value < inception_score(rows, splits=1).value  # small parts score less


def test_no_warnings_of_the_library_reach_the_reader():
    """What torchmetrics says of its buffer and of one split is known and answered."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inception_score(cloud(6, 3), splits=1)


# Precision and recall


def slow_share(points: np.ndarray, by: np.ndarray, k: int) -> float:
    """Share of ``points`` within reach of ``by``, one pair after the other."""
    reached = 0
    for point in points:
        for i, centre in enumerate(by):
            others = sorted(np.linalg.norm(centre - o) for j, o in enumerate(by) if j != i)
            if np.linalg.norm(centre - point) <= others[k - 1]:
                reached += 1
                break
    return reached / len(points)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("held", [10, 2**22])
def test_precision_and_recall_are_those_of_the_loop(monkeypatch, k, held):
    """All pairs of points, in chunks or at once."""
    monkeypatch.setattr(features, "_DISTANCES", held)
    a, b = cloud(31, 4), 1.2 * cloud(23, 4, seed=1) + 1.6
    expected = (slow_share(a, b, k), slow_share(b, a, k))
    assert 0 < expected[0] < 1
    assert 0 < expected[1] < 1
    found = precision_recall(a, b, k=k)
    assert found[:2] == pytest.approx(expected)
    assert found[2:] == (31, 23)
    assert precision_recall(b, a, k=k)[:2] == pytest.approx(expected[::-1])


def test_known_clouds():
    """The same set: 1, 1. Far apart: 0, 0. A part of the truth is precise and misses the rest."""
    a = cloud(60, 3)
    far = a + 1000.0
    assert precision_recall(a, a)[:2] == (1.0, 1.0)
    assert precision_recall(far, a)[:2] == (0.0, 0.0)
    assert precision_recall(a, np.concatenate([a, far]))[:2] == (1.0, 0.5)
    assert precision_recall(np.concatenate([a, far]), a)[:2] == (0.5, 1.0)
    # Copies of one point reach nowhere, but each other: a mode that was learned by heart.
    mode = np.repeat(a[:1], 10, axis=0)
    assert precision_recall(mode, a)[:2] == (1.0, 1 / 60)


def test_points_do_not_count_as_their_own_neighbours():
    """By hand on a line, k = 1: 0 reaches to 1, and 10 reaches to 1."""
    real = np.array([[0.0], [1.0], [10.0]])
    generated = np.array([[-1.0], [-1.5], [18.0], [19.5]])
    assert precision_recall(generated, real, k=1).precision == 0.5
    assert precision_recall(generated, real, k=1).recall == 0.0
    assert precision_recall(5 * generated - 3, 5 * real - 3, k=1).precision == 0.5


# Labels and crops


def test_clusters_are_materials_whatever_the_light():
    """Three materials under uneven light come apart; all-zero spectra belong to none."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (20, 15))
    spectra = np.array([[1.0, 0.2, 0.1, 0.5], [0.1, 1.0, 0.6, 0.1], [0.3, 0.1, 1.0, 0.9]])
    image = spectra[truth] * rng.uniform(0.05, 20, (20, 15, 1)) * rng.normal(1, 0.01, (20, 15, 4))
    image[3, 4] = 0.0
    labels = kmeans_labels(torch.from_numpy(image.transpose(2, 0, 1)).float(), 3).numpy()
    assert labels[3, 4] == 0
    assert {(t, s) for t, s in zip(truth.flat, labels.flat, strict=True) if s} == {
        (t, labels[truth == t].max()) for t in range(3)
    }
    assert sorted({*labels.flat} - {0}) == [1, 2, 3]


def test_same_seed_same_clusters(monkeypatch):
    """Learned from a sample, given to all; the draws are the seed's own."""
    from hsirepro.metrics import clusters

    image = torch.rand(4, 19, 13, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(kmeans_labels(image, 4, seed=3), kmeans_labels(image, 4, seed=4))
    monkeypatch.setattr(clusters, "_FITTED", 50)
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = kmeans_labels(image, 4, seed=3)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    assert torch.equal(first, kmeans_labels(image, 4, seed=3))
    assert not torch.equal(first, kmeans_labels(image, 4, seed=4))
    assert sorted({*first.flatten().tolist()}) == [1, 2, 3, 4]


def test_majority_is_that_of_the_loop():
    """Most labelled pixels of every crop, unlabelled ones not counted, by hand."""
    labels = np.random.default_rng(0).choice(5, (13, 11), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    labels[:5, :5] = 0
    found = majority(torch.from_numpy(labels), 4)
    assert found.shape == (10, 8)
    for y, x in np.ndindex(10, 8):
        counts = np.bincount(labels[y : y + 4, x : x + 4].ravel(), minlength=5)[1:]
        assert found[y, x] == (1 + counts.argmax() if counts.any() else 0)
    assert found[0, 0] == 0


@pytest.mark.parametrize("turn", range(4))
def test_crops_to_learn_from_and_to_be_judged_by_share_no_pixel(turn):
    """Three fields in stripes leave one side on which all are seen; that one is held out."""
    labels = torch.zeros(50, 30, dtype=torch.int64)
    labels[:, :10], labels[:, 10:20], labels[:, 20:] = 7, 2, 5
    labels[:13, 20:] = 0  # the upper side knows two of the three
    labels = torch.rot90(labels, turn)
    found = split(labels, 8)
    assert found.held_out == ("rows 38:50", "columns 38:50", "rows 0:12", "columns 0:12")[turn]
    assert found.classes == (2, 5, 7)
    assert sorted({*found.truth.tolist()}) == [2, 5, 7]

    def pixels(corners: Tensor) -> set[tuple[int, int]]:
        return {(y + i, x + j) for y, x in corners.tolist() for i in range(8) for j in range(8)}

    learned, judged = pixels(torch.cat(found.learned)), pixels(found.judged)
    assert learned
    assert judged
    assert not learned & judged
    winners = majority(labels, 8)
    for name, corners in zip(found.classes, found.learned, strict=True):
        assert all(winners[y, x] == name for y, x in corners.tolist())
    assert [winners[y, x] for y, x in found.judged.tolist()] == found.truth.tolist()


def test_strip_leaves_what_can_be_learned():
    """Held out is not the only field of a class, though either side would be judged by one."""
    labels = torch.ones(40, 10, dtype=torch.int64)
    labels[35:] = 2
    found = split(labels, 8)
    assert found.held_out == "rows 0:10"
    assert found.classes == (1, 2)


def test_classes_are_drawn_alike_often():
    """A rare class is as often seen as a common one, and everywhere that it is found."""
    labels = torch.ones(40, 40, dtype=torch.int64)
    labels[:, :9] = 2
    found = split(labels, 8)
    assert len(found.learned[0]) > 5 * len(found.learned[1])
    torch.manual_seed(0)
    classes, corners = found.draw(2000)
    assert 900 < int(classes.sum()) < 1100
    drawn = {tuple(corner) for corner in corners[classes == 1].tolist()}
    assert drawn == {tuple(corner) for corner in found.learned[1].tolist()}


# The net


@cache
def fields() -> tuple[Tensor, Tensor]:
    """Return a scene of four fields with spectra of their own, noise, and a border of no label."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(45)[:, None] // 5 % 2, np.arange(31)[None, :] // 16
    labels = 1 + 2 * rows + columns
    spectra = 0.5 + 0.3 * np.sin(np.linspace(0, 5, 9) + np.arange(4)[:, None])
    image = spectra[labels - 1] * rng.uniform(0.7, 1.3, (45, 31, 1))
    image += 0.05 * rng.standard_normal(image.shape)
    labels[:2] = 0
    return torch.from_numpy(image.transpose(2, 0, 1)).float(), torch.from_numpy(labels)


SHORT = {"size": 8, "iterations": 60}


@cache
def trained() -> TileClassifier:
    return train_classifier(*fields(), size=8, iterations=150, seed=1)


def bytes_of(net: TileClassifier) -> list[bytes]:
    state = net.state_dict()
    told = repr(state.pop("_extra_state")).encode()
    return [told, *(tensor.numpy().tobytes() for tensor in state.values())]


def test_classes_that_differ_are_told_apart():
    """On crops that it never touched the net is nearly always right, and says so."""
    net = trained()
    assert not net.training
    assert net.classes == (1, 2, 3, 4)
    assert net.labels_from == "ground truth"
    assert net.held_out == "rows 34:45"
    assert net.chance < 0.7
    assert net.accuracy > 0.95
    image, labels = fields()
    crops = split(labels, 8)
    tiles = torch.stack([image[:, y : y + 8, x : x + 8] for y, x in crops.judged.tolist()])
    right = torch.tensor(net.classes)[net.logits(tiles).argmax(dim=1)] == crops.truth
    assert net.accuracy == pytest.approx(float(right.double().mean()))
    assert net.chance == pytest.approx(float(crops.truth.bincount().max() / len(crops.truth)))


def test_labels_of_clusters_are_marked(tmp_path):
    """What was learned from k-means never passes for ground truth; the clusters are the labels."""
    image, _ = fields()
    same, state = kmeans_labels(image, 4, seed=0), tmp_path / "net.ckpt"
    net = train_classifier(image, 4, checkpoint=state, **SHORT)
    told = train_classifier(image, same, **SHORT)
    assert (net.labels_from, told.labels_from) == ("k-means", "ground truth")
    assert bytes_of(net)[1:] == bytes_of(told)[1:]
    with pytest.raises(RecordError, match="belongs to another run"):
        train_classifier(image, same, checkpoint=state, **SHORT)


def test_same_seed_same_bytes():
    """The seed is all that decides, and nobody else's random numbers change."""
    random.seed(11)
    np.random.seed(11)  # noqa: NPY002
    torch.manual_seed(11)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    first = train_classifier(*fields(), **SHORT)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[:2]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    torch.randn(5)
    assert bytes_of(train_classifier(*fields(), **SHORT)) == bytes_of(first)
    assert bytes_of(train_classifier(*fields(), seed=1, **SHORT)) != bytes_of(first)


def test_resumed_is_uninterrupted(tmp_path, monkeypatch):
    """Cut off and taken up again, a run ends in the same bytes; finished, it is not run again."""
    monkeypatch.setattr(classifier, "TrainingRun", _every_10)
    whole, state = train_classifier(*fields(), **SHORT), tmp_path / "net.ckpt"
    forward, calls = TileClassifier.forward, []

    def cut_off(net: TileClassifier, tiles: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 35:
            raise KeyboardInterrupt
        return forward(net, tiles)

    monkeypatch.setattr(TileClassifier, "forward", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(*fields(), checkpoint=state, **SHORT)
    resumed = train_classifier(*fields(), checkpoint=state, **SHORT)
    steps = len(calls)
    assert steps < 35 + 30 + 10  # 30 iterations were left, and the judging
    assert bytes_of(resumed) == bytes_of(whole)
    assert bytes_of(train_classifier(*fields(), checkpoint=state, **SHORT)) == bytes_of(whole)
    assert len(calls) < steps + 10
    with pytest.raises(RecordError, match="belongs to another run"):
        train_classifier(*fields(), checkpoint=state, size=9, iterations=60)


def _every_10(*args, **options) -> TrainingRun:
    return TrainingRun(*args, **{**options, "checkpoint_every": 10})


def test_saved_net_is_the_net():
    """Its plain state loads without code and gives the same features, logits and accuracy."""
    net, stream = trained(), io.BytesIO()
    torch.save(net.state_dict(), stream)
    stream.seek(0)
    loaded = TileClassifier.from_state(torch.load(stream, weights_only=True))
    tiles = fields()[0][None, :, 3:20, 5:19]
    assert torch.equal(loaded.features(tiles), net.features(tiles))
    assert torch.equal(loaded.logits(tiles), net.logits(tiles))
    assert bytes_of(loaded) == bytes_of(net)
    assert loaded.accuracy == net.accuracy


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (31, 8), (32, 32)])
def test_tiles_of_any_size(size, monkeypatch):
    """Features and logits are finite at odd sizes, whatever is described at a time."""
    net, tiles = trained(), torch.rand(5, 9, *size, generator=torch.Generator().manual_seed(0))
    seen = net.features(tiles)
    assert seen.shape == (5, classifier.WIDTH)
    assert not seen.requires_grad
    torch.testing.assert_close(net.head(seen), net(tiles))
    torch.testing.assert_close(net.logits(tiles), net(tiles))
    monkeypatch.setattr(classifier, "_AT_ONCE", 2 * size[0] * size[1])
    torch.testing.assert_close(net.features(tiles), seen)
    net(tiles.requires_grad_()).square().sum().backward()
    assert torch.isfinite(tiles.grad).all()
    assert tiles.grad.any()
    net.zero_grad()


def test_features_tell_what_was_planted():
    """Held-out crops are near the scene; spectra that are not of it are further, and further."""
    image, _ = fields()
    net = trained()
    corners = [(y, x) for y in range(0, 37, 3) for x in range(0, 23, 2)]
    tiles = torch.stack([image[:, y : y + 8, x : x + 8] for y, x in corners])
    real, again = net.features(tiles[::2]), net.features(tiles[1::2])
    tilt = torch.linspace(0, 1, 9)[:, None, None]
    found = [
        frechet_distance(net.features(tiles[1::2] * (1 + a * tilt)), real).value
        for a in (0.0, 0.3, 1.0)
    ]
    assert found[0] < 0.5 * found[1] < 0.25 * found[2]
    assert precision_recall(again, real).precision > 0.6
    assert precision_recall(net.features(tiles[1::2] * (1 + 3 * tilt)), real).precision < 0.2
    mixed, one = net.logits(tiles[:80]), net.logits(tiles[:1].repeat(80, 1, 1, 1))
    assert inception_score(mixed, splits=1).value > 2 > inception_score(one, splits=1).value


def test_constant_bands_and_counts():
    """A band of zeros is left as it is, and stored counts are as good as reflectance."""
    image, labels = fields()
    counts = (10_000 * image.clamp_min(0)).to(torch.int32)
    counts[3] = 0
    net = train_classifier(counts, labels.to(torch.uint8), **SHORT)
    assert net.accuracy > 0.9
    assert torch.isfinite(net.features(counts[None, :, :8, :8])).all()


def test_real_scene(data_dir):
    """A crop of Pavia without labels: its clusters are learned, and the net knows its own tiles."""
    image = to_tensor(open_scene("pavia-centre-crop"))
    net = train_classifier(image, 3, size=16, iterations=60)
    assert net.labels_from == "k-means"
    assert net.accuracy > net.chance


IMAGE, LABELS = torch.rand(3, 20, 30), torch.arange(600).reshape(20, 30) % 3
HOLED = IMAGE.clone()
HOLED[1, 2, 3] = torch.inf
BLOCKS = torch.ones(20, 30, dtype=torch.int64)
BLOCKS[0, 0] = 2
make = partial(train_classifier, size=8, iterations=3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: frechet_distance(cloud(9, 3), cloud(9, 4)), ShapeError, "have 3 features, the r"),
        (lambda: frechet_distance(cloud(1, 3), cloud(9, 3)), ShapeError, "row per image, of at l"),
        (lambda: frechet_distance(np.zeros((3, 0)), cloud(9, 3)), ShapeError, "shape (3, 0)"),
        (
            lambda: precision_recall(cloud(9, 3), np.where(np.eye(9)[:, :3] > 0, np.nan, 0.0)),
            PixelError,
            "real holds NaN or infinite values, first in row 0",
        ),
        (lambda: precision_recall(cloud(3, 3), cloud(9, 3)), ParameterError, "k=3 is no neighb"),
        (lambda: precision_recall(cloud(5, 3), cloud(9, 3), k=0), ParameterError, "k=0 is no ne"),
        (lambda: inception_score(cloud(64, 3)), ParameterError, "splits can be 1, 2, 4, 8, 16"),
        (lambda: inception_score(cloud(4, 3), splits=0), ParameterError, "splits=0 equal parts"),
        (lambda: inception_score(torch.zeros(4)), ShapeError, "logits has shape (4,)"),
        (lambda: kmeans_labels(IMAGE, 1), ParameterError, "cannot find 1 clusters in 600 spectra"),
        (lambda: kmeans_labels(0 * IMAGE, 2), ParameterError, "2 clusters in 0 spectra"),
        (lambda: make(IMAGE, 1), ParameterError, "cannot find 1 clusters"),
        (lambda: make(IMAGE[0], LABELS), ShapeError, "(20, 30); (L, H, W) is needed"),
        (lambda: make(IMAGE, LABELS.T), ShapeError, "The labels have shape (30, 20)"),
        (lambda: make(IMAGE, LABELS.float()), ParameterError, "whole numbers are needed"),
        (lambda: make(IMAGE, LABELS - 1), ParameterError, "from -1 on"),
        (lambda: make(IMAGE, LABELS.numpy()), ParameterError, "torch.from_numpy(labels)"),
        (lambda: make(HOLED, LABELS), PixelError, "NaN or infinite pixels"),
        (lambda: make(IMAGE, LABELS.clamp(max=1)), ParameterError, "hold 1 class(es) ([1])"),
        (lambda: make(IMAGE, 0 * LABELS), ParameterError, "hold 0 class(es)"),
        (lambda: make(IMAGE, BLOCKS), ParameterError, "Of 2 classes 1 are the majority"),
        (lambda: make(IMAGE, LABELS, size=16), ShapeError, "size=15 is the largest"),
        (lambda: make(IMAGE, LABELS, size=7), ParameterError, "at least 8 pixels a side"),
        (lambda: make(IMAGE, LABELS, iterations=0), ParameterError, "at least one iteration"),
        (lambda: make(IMAGE, LABELS, device="gpu"), ParameterError, "Unknown device 'gpu'"),
        (lambda: trained().features(IMAGE), ShapeError, "a single tile is tile[None]"),
        (lambda: trained().logits(IMAGE[None]), ShapeError, "this net sees (N, 9, h, w)"),
        (lambda: trained().features(torch.ones(1, 9, 8, 7)), ShapeError, "8 x 7 pixels are too s"),
    ],
)
def test_bad_input_is_named(call, error, text):
    """What cannot be scored or learned is refused with the reason and the next step."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
