"""INSS's Table III and Fig. 8: labelled scenes, splits, cells, claims, and what is shown."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hsirepro.downstream import METHODS
from hsirepro.errors import FormatError, ParameterError, ShapeError
from hsirepro.metrics.classification import classification_scores
from hsirepro.papers.inss import (
    CLASSIFIED,
    CLASSIFIERS,
    CONDITIONS,
    EMBEDDED,
    FEATURES,
    LABELLED,
    STANDING_IN,
    Labelled,
    decided,
    keys,
    open_dataset,
    open_labelled,
    planned,
    run_cell,
)
from hsirepro.papers.inss.classification import LENGTHS, NULLS, printed_accuracies, row_labels
from hsirepro.papers.inss.classified import classification_record, largest_shares, split_of
from hsirepro.papers.inss.embedding import (
    _models_of,
    _products,
    balanced_pixels,
    embedding_record,
    principal,
    same_class,
    silhouette,
    tsne,
)
from hsirepro.papers.inss.labelled import like_training, majority
from hsirepro.papers.published import published
from hsirepro.records import Record, provenance
from hsirepro.recovery import Pairs
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.mixing import place_codes
from hsirepro.recovery.model import Recovered
from hsirepro.report.classes import plot_class_maps, plot_planes
from hsirepro.report.classification import classification_table, gains_table, paired
from hsirepro.scenes.simulate import simulate

FOLDER = Path(os.environ.get("HSIREPRO_DATA", "").split(os.pathsep)[0] or "nowhere")
needs_data = pytest.mark.skipif(
    not (FOLDER / "scenes" / "aviris").is_dir(), reason="HSIREPRO_DATA holds no AVIRIS crops"
)
DARK = Pairs([torch.rand(3, 4, 4)], [torch.rand(5, 4, 4)], np.arange(5.0))
SOURCES = provenance(seed=0, data_sha256="", wall_time_s=1.0, peak_memory_mb=1.0, device="cpu")


@cache
def planted() -> Labelled:
    """Return the planted scene, which nobody changes."""
    return open_labelled("planted")


def small_inss(order: int = 3) -> INSS:
    """Return an untrained INSS of 30 bands and 7 spectra whose parts all differ."""
    torch.manual_seed(0)
    model = INSS(bands=30, materials=7, width=4, order=order, hidden=(4,))
    model.library.copy_(torch.rand(30, 7))
    return model.eval()


def network() -> SimpleNamespace:
    """Return what stands for a fitted INSS."""
    return SimpleNamespace(model=small_inss())


# Tables


def test_rows_are_those_that_the_paper_prints():
    """Four classifiers, three numbers of samples, with and without: 24 accuracies, each ours."""
    rows = published("inss").query("table == 'III'")
    ours = printed_accuracies()
    assert sorted(ours.values()) == sorted(rows.value.tolist())
    assert len(ours) == 24
    assert ours["samples=50", "hamida"] == 69.103
    assert ours["samples=200", "hamida+abundances"] == 96.417


def test_null_rows_stand_beside_the_fewest_samples():
    """More channels are asked for once by chance and once by place, not at 100 or 200."""
    cells = [key for key in planned("quick") if key.table == CLASSIFIED]
    assert len(cells) == len(set(cells))
    for scene in STANDING_IN:
        mine = [key for key in cells if key.scene == scene]
        assert {key.condition for key in mine} == set(CONDITIONS)
        assert {key.seed for key in mine} == set(range(5))
        assert {key.condition for key in mine if key.method in NULLS} == {
            "samples=50",
            "samples=50,by-place",
        }
        assert len(mine) == 5 * (4 * 8 + 2 * 2)


def test_networks_are_trained_before_they_are_asked():
    """A sweep fills Table I first: its cells are on other images and need no labels."""
    tables = [key.table for key in planned("quick")]
    first = min(tables.index(CLASSIFIED), tables.index(EMBEDDED))
    assert {"I", "II", "starts"}.isdisjoint(tables[first:])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: keys("planted", "quick", ["he+abundance"], table="III"), "no method 'he\\+abund"),
        (lambda: keys("planted", "quick", table="III", condition="samples=51"), "samples=51"),
        (lambda: keys("planted", "quick", table="fig-8", condition="samples=50"), "no condition"),
        (lambda: open_labelled("salina"), "no labelled scene 'salina'"),
        (lambda: like_training(torch.zeros(3, 4, 4), DARK), "no light"),
        (lambda: split_of(np.ones((9, 9), dtype=int), 50, 0), "Fewer than two classes can give 50"),
        (lambda: balanced_pixels(np.ones((9, 9), dtype=int), 50, 0), "1 classes have 20 labelled"),
        (lambda: principal(np.ones((4, 4))), "nothing to embed"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(call, text):
    """Before work starts, with what was given."""
    with pytest.raises(ParameterError, match=text):
        call()


# Labelled scenes


@pytest.mark.parametrize("name", [n for n in LABELLED if n != "salinas"])
def test_labels_lie_on_their_scene(name):
    """One label a pixel, each with a name; colours of the same pixels, finite, with light."""
    if name != "planted" and not (FOLDER / "scenes" / "aviris").is_dir():
        pytest.skip("HSIREPRO_DATA holds no AVIRIS crops")
    scene = open_labelled(name)
    assert scene.cube.shape[1:] == scene.labels.shape == scene.rgb.shape[1:]
    assert len(scene.wavelength) == len(scene.cube) == scene.array().sizes["wavelength"]
    assert 1 < len(np.unique(scene.labels[scene.labels > 0])) <= len(scene.names)
    assert scene.labels.max() == len(scene.names)
    assert torch.isfinite(scene.rgb).all()
    training = open_dataset(scene.images).sides["train"]
    if any("reflectance" in note for note in scene.notes):
        theirs = torch.cat([image.flatten(1) for image in training.rgb], dim=1).mean(dim=1)
        assert scene.rgb.mean(dim=(1, 2)).numpy() == pytest.approx(theirs.numpy(), rel=1e-4)


def test_the_planted_scene_was_not_trained_on():
    """It is the test image, and its labels are the materials that were planted."""
    scene, data = planted(), open_dataset("planted")
    assert torch.equal(scene.cube, data.sides["test"].hsi[0])
    assert torch.equal(scene.rgb, data.sides["test"].rgb[0])
    truth = simulate(size=64, wavelengths=scene.wavelength, seed=3, atmosphere=True)
    assert np.array_equal(scene.labels - 1, truth.abundances.argmax(axis=2))


def test_a_pixel_has_the_class_of_most_of_its_parts():
    """Half is not most; a map that does not fill whole pixels is refused."""
    fine = np.kron([[1, 2], [3, 0]], np.ones((4, 4), dtype=int))
    assert majority(fine, 4).tolist() == [[1, 2], [3, 0]]
    fine[:4, :2] = 3
    assert majority(fine, 4).tolist() == [[0, 2], [3, 0]]
    fine[0, 0] = 1
    assert majority(fine, 4).tolist() == [[1, 2], [3, 0]]
    with pytest.raises(FormatError, match="8 x 7 parts"):
        majority(fine[:, :7], 4)


# Splits


def test_small_classes_are_left_out_and_told():
    """What stays has enough to learn from and to judge by; what goes is named with its size."""
    labels = np.repeat([1, 2, 3], [400, 59, 61])[:, None] * np.ones((1, 1), dtype=int)
    split, kept, left_out = split_of(labels, 50, 4)
    assert left_out == {2: 59}
    assert set(np.unique(kept)) == {0, 1, 3}
    assert split.train.sum() == 100
    assert (split.test & (kept == 3)).sum() == 11
    assert not (split.train & split.test).any()


def test_splits_differ_by_number_and_come_again():
    """The third split is the third, whoever asks, and no other."""
    labels = planted().labels
    first, again, other = (split_of(labels, 50, n)[0].train for n in (3, 3, 7))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_by_place_no_patch_is_on_two_sides():
    """A class in one corner cannot be laid out, and is left out; the rest lies 9 pixels apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, (80, 80))
    labels[:6, :12] = 4
    split, _, left_out = split_of(labels, 50, 0, by_place=True)
    assert left_out == {4: 72}
    train, test = (np.argwhere(side) for side in (split.train, split.test))
    apart = np.abs(train[:, None] - test[None]).max(axis=2)
    assert apart.min() >= 9


# What stands beside the bands


def test_appended_maps_have_the_largest_share():
    """None that is left has more; the order follows the share."""
    maps = torch.rand(20, 6, 5) ** torch.arange(1, 21)[:, None, None].flip(0)
    some, numbers = largest_shares(maps, 7)
    means = maps.mean(dim=(1, 2))
    rest = [n for n in range(20) if n not in numbers]
    assert torch.equal(some, maps[numbers])
    assert means[numbers].tolist() == sorted(means[numbers].tolist(), reverse=True)
    assert means[rest].max() <= means[numbers].min()


def test_null_rows_have_as_many_channels_that_say_less(monkeypatch):
    """Shuffled maps hold the same values elsewhere; colours are the three, again and again."""
    seen = {}

    def spy(cube, labels, train, *, abundances, **_):
        seen[key.method] = abundances
        given = SimpleNamespace(classify=lambda cube, maps, where: labels)
        return SimpleNamespace(model=given, curves={}, settings={}, earlier_s=0.0)

    monkeypatch.setitem(METHODS, "cnn2d", spy)
    scene = planted()
    maps = torch.rand(40, *scene.labels.shape)
    fitted = SimpleNamespace(
        model=SimpleNamespace(reconstruct=lambda rgb: Recovered(scene.cube, maps))
    )
    for key in keys("planted", "smoke", table="III", condition="samples=50"):
        if key.method.startswith("cnn2d"):
            record = classification_record(key, scene, lambda: fitted)
            assert record.metrics["OA"] == 100.0
    real, mixed = seen["cnn2d+abundances"], seen["cnn2d+shuffled"]
    assert seen["cnn2d"] is None
    assert len(real) == len(mixed) == len(seen["cnn2d+colours"]) == 32
    assert torch.equal(real.flatten(1).sort(dim=1)[0], mixed.flatten(1).sort(dim=1)[0])
    assert torch.allclose(real.sum(dim=0).flatten().sort()[0], mixed.sum(dim=0).flatten().sort()[0])
    moved = (real != mixed).any(dim=0).float().mean()
    assert moved > 0.99
    assert {tuple(c.flatten()[:9].tolist()) for c in seen["cnn2d+colours"]} == {
        tuple(c.flatten()[:9].tolist()) for c in scene.rgb
    }


def test_true_abundances_do_not_harm():
    """Where the planted abundances stand beside the bands, at least as many pixels are right."""
    scene = planted()
    truth = simulate(size=64, wavelengths=scene.wavelength, seed=3, atmosphere=True)
    shares = torch.from_numpy(np.moveaxis(truth.abundances, 2, 0)).float()
    split, labels, _ = split_of(scene.labels * (scene.labels < 7), 50, 0)
    judged = split.test & (np.indices(labels.shape).sum(axis=0) % 4 == 0)
    found = []
    for maps in (None, shares):
        fitted = METHODS["hamida"](
            scene.cube, labels, split.train, abundances=maps, epochs=2, seed=0
        )
        given = fitted.model.classify(scene.cube, maps, where=judged)
        found.append(classification_scores(given, labels * judged)["OA"])
    assert found[1] > found[0]


# Cells


@pytest.fixture
def cells(monkeypatch):
    """Return a function that runs a smoke cell of three classes, with an untrained INSS."""
    scene = planted()
    scene = replace(scene, labels=scene.labels * np.isin(scene.labels, (1, 3, 8)))
    shorter = replace(LENGTHS["smoke"], patches=dict.fromkeys(METHODS, 200))
    monkeypatch.setattr("hsirepro.papers.inss.classified.LENGTHS", {"smoke": shorter})

    def run(method, condition="samples=50", **given):
        (key,) = keys("planted", "smoke", [method], [0], table="III", condition=condition)
        return classification_record(key, scene, network, **given)

    return run


def test_a_cell_becomes_a_record(cells):
    """Accuracies in %, by class too, the map, and where the abundances come from."""
    record = cells("lee+abundances", pictures=True)
    assert 0 <= record.metrics["OA"] <= 100
    judged = record.arrays["judged"]
    weighed = np.nansum(record.arrays["accuracy"] * judged) / judged.sum()
    assert record.metrics["OA"] == pytest.approx(weighed, abs=1e-3)
    assert np.nanmean(record.arrays["accuracy"]) == pytest.approx(record.metrics["AA"], abs=1e-3)
    assert record.images["classes"].shape == (64, 64)
    origin = record.settings["beside the bands"]
    assert (origin["scene"], origin["profile"], origin["seed"]) == ("planted", "smoke", 0)
    assert len(origin["maps"]) == 7
    assert len(origin["code"]) == 64
    assert any("200 patches" in note for note in record.settings["shortened"])


def test_the_same_seed_gives_the_same_numbers(cells):
    """Byte for byte, but for the time it took."""
    first, again = (replace(cells("lee"), provenance={}) for _ in range(2))
    assert first == again
    assert not first.images


def test_rows_of_a_split_are_judged_by_the_same_pixels(cells):
    """Otherwise a gain could be luck; classes that are left out are told in the notes."""
    condition = "samples=100"
    one, other = (cells(method, condition) for method in ("lee", "hamida"))
    assert np.array_equal(one.arrays["judged"], other.arrays["judged"])
    assert one.settings["left out"] == {"red_tile": 95}
    (told,) = [note for note in one.settings["notes"] if "left out" in note]
    assert "red_tile (95 pixels)" in told


def test_a_cell_is_run_by_its_key(tmp_path, monkeypatch):
    """As every cell of the paper, with the network that the scene names."""
    asked = []
    monkeypatch.setattr(
        "hsirepro.papers.inss.run.network_for", lambda *given: asked.append(given) or network()
    )
    (key,) = keys("planted", "smoke", ["abundances"], [0], table="fig-8")
    assert run_cell(key).key == key
    assert asked == [("planted", "smoke", "cpu")]


def test_pixels_can_be_classified_in_part():
    """Those that are asked for have the class that they have in the whole map; others have 0."""
    scene, labels = torch.rand(6, 12, 10), np.ones((12, 10), dtype=int)
    labels[6:] = 2
    fitted = METHODS["lee"](scene, labels, labels > 0, epochs=1)
    where = np.zeros((12, 10), dtype=bool)
    where[3:8, 2] = True
    whole, part = fitted.model.classify(scene), fitted.model.classify(scene, where=where)
    assert np.array_equal(part, whole * where)
    for wrong in (where[:5], ~where & where):
        with pytest.raises(ShapeError, match="a mask of 12 x 10"):
            fitted.model.classify(scene, where=wrong)


# Fig. 8


def test_principal_components_are_those_of_the_vectors():
    """From products alone: the same distances as the centred vectors have."""
    vectors = np.random.default_rng(0).normal(3.0, 1.0, (30, 9))
    found = principal(vectors @ vectors.T)
    assert found.shape == (30, 9)
    assert np.allclose(found.mean(axis=0), 0)
    for points in (found, vectors):
        points -= points.mean(axis=0)
    assert np.allclose(found @ found.T, vectors @ vectors.T)


def test_a_mixing_model_is_its_three_parts_side_by_side():
    """Products of pixels are those of abundances, code and weights put into one vector."""
    scene, model = planted(), small_inss()
    scene = replace(scene, rgb=scene.rgb[:, :50, :47], labels=scene.labels[:50, :47])
    rows, columns = np.random.default_rng(0).integers([[50], [47]], size=(2, 20))
    products, _, told = _products("mixing-model", scene, network, rows, columns)
    abundances, weights = _models_of(model, scene.rgb)
    codes = place_codes(16)
    vectors = np.stack([
        np.concatenate([
            abundances[:, r, c].numpy(), codes[r % 16 * 16 + c % 16].numpy(),
            weights[:, r // 16, c // 16].numpy(),
        ]) for r, c in zip(rows, columns, strict=True)
    ]).astype(float)  # fmt: skip
    assert np.allclose(products, vectors @ vectors.T, rtol=1e-5)
    shares = [told[f"variance in {part}"] for part in ("abundances", "codes", "weights")]
    assert sum(shares) == pytest.approx(100)
    assert shares[1] == pytest.approx(
        100 * vectors[:, 7:23].var(axis=0).sum() / vectors.var(axis=0).sum(), rel=1e-4
    )


def test_mixing_models_are_what_the_image_is_made_of():
    """Abundances alone and as a part of the image are the same; a linear model has no weights."""
    rgb = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        model = small_inss()
        abundances, weights = model.mixing_models(rgb)
        assert torch.equal(abundances, model.parts(rgb)["abundances"])
        assert weights.shape == (1, model.mixing.weights_per_tile, 4, 4)
        assert small_inss(order=1).mixing_models(rgb)[1] is None


def test_planted_clusters_lie_together_and_random_labels_do_not():
    """t-SNE keeps three clouds apart, the same for the same seed; chance has a silhouette of 0."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 2, 3], 30)
    points = rng.normal(0, 0.1, (90, 5)) + np.eye(5)[labels]
    plane = tsne(principal(points @ points.T), 0, 300)
    assert silhouette(plane, labels) > 0.5
    assert same_class(plane, labels) > 0.95
    assert abs(silhouette(plane, rng.permutation(labels))) < 0.1
    assert np.array_equal(plane, tsne(principal(points @ points.T), 0, 300))


def test_an_embedding_becomes_a_record():
    """True spectra of planted classes lie together; the plane is drawn pixel by pixel."""
    found = []
    for key in keys("planted", "smoke", ["mixing-model", "true-spectra"], [0], table="fig-8"):
        found.append(embedding_record(key, planted(), network))
    mixing, spectra = found
    assert spectra.metrics["silhouette"] > 0.2
    assert "variance in codes" in mixing.metrics
    assert mixing.arrays["plane"].shape == (150, 2)
    assert np.array_equal(mixing.arrays["label"], spectra.arrays["label"])
    assert (np.bincount(mixing.arrays["label"].astype(int))[1:] == 15).all()
    assert spectra.settings["network"] == {}
    figure = plot_planes(found)
    assert len(figure.axes) == 2
    with pytest.raises(ParameterError, match="no planes"):
        plot_planes([])


# Claims


class Shelf:
    """Records in memory, found as a store finds them."""

    def __init__(self, records):
        self.records = records

    def find(self, **wanted):
        """Return the records whose keys have these fields."""
        return [r for r in self.records if all(getattr(r.key, n) == v for n, v in wanted.items())]


def accuracies(gain, splits=5, profile="paper", scene="jasper-ridge"):
    """Make up records of Table III: 80 % and more by split, and ``gain`` for what is added."""
    found = []
    for key in keys(scene, profile, table=CLASSIFIED, seeds=range(splits)):
        row = CLASSIFIERS[key.method]
        value = 80.0 + key.seed + (gain(row.method, key.condition) if row.added else 0.0)
        metrics = {"OA": value, "AA": value, "kappa": 0.8}
        found.append(Record(key, metrics, settings={"notes": ["Made up."]}, provenance=SOURCES))
    return found


def verdict_of(store, claim="inss-abundance-helps-classification", scene="jasper-ridge"):
    (found,) = [v for v in decided(store) if (v.claim, v.scene) == (claim, scene)]
    return found


def test_abundances_help_only_if_they_always_do():
    """Twelve gains hold; one loss fails, whatever is missing; four splits decide nothing."""
    found = verdict_of(Shelf(accuracies(lambda *_: 1.5)))
    assert found.word == "holds"
    assert "12 of 12 pairs: from +1.50" in found.evidence
    one = accuracies(lambda method, at: -0.5 if (method, at) == ("lee", "samples=100") else 2.0)
    some = [record for record in one if not record.key.method.startswith("he")]
    for records, pairs in ((one, "11 of 12"), (some, "8 of 9")):
        found = verdict_of(Shelf(records))
        assert found.word == "fails"
        assert f"{pairs} pairs: from -0.50 (lee at 100)" in found.evidence
    found = verdict_of(Shelf(accuracies(lambda *_: 1.5, splits=4)))
    assert (found.word, len(found.missing)) == ("undecided", 24)
    quick = Shelf(accuracies(lambda *_: 1.5, profile="quick"))
    found = verdict_of(quick)
    assert found.word == "undecided"
    assert "profile quick it holds" in found.evidence
    assert verdict_of(quick, scene="muufl-unmixing").word == "undecided"


@pytest.mark.parametrize(("value", "word"), [(0.1, "holds"), (-0.1, "fails")])
def test_classes_lie_together_if_the_silhouette_says_so(value, word):
    """That of the mixing models alone decides; the others stand in the evidence."""
    records = [
        Record(
            key,
            {"silhouette": value if key.method == "mixing-model" else 0.3},
            provenance=SOURCES,
        )
        for key in keys("jasper-ridge", "paper", table=EMBEDDED)
    ]
    found = verdict_of(Shelf(records), "inss-tsne")
    assert found.word == word
    assert f"mixing-model {value:.2f}, abundances 0.30" in found.evidence
    assert FEATURES == ("mixing-model", "abundances", "rgb", "true-spectra")


# What is shown


def test_tables_pair_splits_and_call_nothing_quick_a_reproduction():
    """A difference stands beside runs of the paper's length only, and smoke runs are not ours."""
    printed, labels = printed_accuracies(), row_labels()
    made = {name: accuracies(lambda *_: 1.5, profile=name) for name in ("paper", "quick", "smoke")}
    texts = {
        name: repr(classification_table(found, labels, printed)) for name, found in made.items()
    }
    assert "| 2D-CNN | 85.55 | 82.00 ± 1.58 (n = 5) | -3.55 | paper |" in texts["paper"]
    assert "| 2D-CNN | 85.55 | 82.00 ± 1.58 (n = 5) | — | quick |" in texts["quick"]
    assert "| 2D-CNN | 85.55 | — | — | — |" in texts["smoke"]
    found = made["paper"]
    assert paired(found, "samples=50", "he", "he+abundances") == ([1.5] * 5, "paper")
    pairs = {"He": ("he", "he+abundances"), "Shuffled": ("cnn2d", "cnn2d+shuffled")}
    text = repr(gains_table(found, pairs, printed))
    assert "| He | +4.10 | +1.50 ± 0.00 (n = 5) | -2.60 | paper | 5 of 5 |" in text
    assert "| Shuffled | — | +1.50 ± 0.00 (n = 5) | — | paper | 5 of 5 |" in text
    assert "Stand-in: jasper-ridge, not the paper's scene (salinas)" in text
    with pytest.raises(ParameterError, match="shows one scene, these are 0"):
        classification_table([], labels, printed)


def test_maps_are_drawn_beside_the_labels(cells):
    """One panel more than records; a record without its map says how to get it."""
    record = cells("lee", pictures=True)
    figure = plot_class_maps([record])
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["Labels", "lee"]
    with pytest.raises(ParameterError, match="holds no maps of classes"):
        plot_class_maps([replace(record, images={})])
    with pytest.raises(ParameterError, match="no maps to draw"):
        plot_class_maps([])


@needs_data
def test_houston_has_ten_classes_to_learn():
    """Its map is four times finer: 16,384 pixels of 12 classes, two of them next to empty."""
    scene = open_labelled("houston-2018-crop")
    sizes = np.bincount(scene.labels.ravel(), minlength=13)
    assert scene.labels.shape == (128, 128)
    assert sizes[1:].sum() == 5671
    assert split_of(scene.labels, 50, 0)[2] == {4: 3, 8: 6}
