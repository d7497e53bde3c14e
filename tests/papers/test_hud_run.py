"""A cell of HUD's tables: opened, fitted, drawn, judged and recorded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.papers.hud import REFERENCED, keys, prepare, run_cell, scene_label, unmixing_keys
from hsirepro.papers.hud.experiments import settings_of
from hsirepro.papers.hud.recording import Judge, density, mosaic
from hsirepro.papers.names import record_name
from hsirepro.records import RecordStore
from hsirepro.scenes import to_tensor


@pytest.fixture(scope="module")
def planted():
    """Return the planted scene, ready for tiles."""
    return prepare("planted")


@pytest.fixture(scope="module")
def records(planted, tmp_path_factory):
    """Return smoke records of three rows, which share the classifier that judges them."""
    folder = tmp_path_factory.mktemp("cells") / "a" / "b"
    names = ["null-tiles", "null-shuffled", "hud"]
    cells = keys("planted", "smoke", names)
    return {
        cell.method: run_cell(cell, planted, checkpoint=folder / f"{cell.method}.ckpt")
        for cell in cells
    }


def test_the_scene_is_scaled_and_clean(planted):
    """Not negative, the 99.9th percentile is 1, and nothing is cut."""
    values = planted.cube.values
    assert values.min() >= 0
    assert np.percentile(values, 99.9) == pytest.approx(1.0, rel=1e-4)
    assert values.max() > 1.0
    assert planted.labels is None
    assert scene_label("planted", planted) == "planted"


def test_a_part_is_a_scene_of_its_own():
    """Its records have another name, which holds no path."""
    part = prepare("planted", part="0:20,0:30")
    assert part.cube.shape[:2] == (20, 30)
    name = scene_label("planted", part)
    assert name.startswith("planted-")
    assert name == record_name("somewhere/else/planted", part.cube, "0:20,0:30")


def test_copies_are_perfect_and_shuffles_are_not(records):
    """Copied tiles have fidelity and diversity 1; shuffled pixels are real and nowhere."""
    copied, shuffled = (records[n].metrics for n in ("null-tiles", "null-shuffled"))
    assert copied["PointFidelity"] == pytest.approx(1.0, abs=1e-5)
    assert copied["BlockDiversity"] == pytest.approx(1.0, abs=1e-5)
    assert shuffled["PointFidelity"] == pytest.approx(1.0, abs=1e-5)
    assert shuffled["BlockDiversity"] < 0.98
    assert copied["FID of clusters"] < shuffled["FID of clusters"]


def test_a_record_holds_what_the_chapters_show(records):
    """Scores, curve, spectra, pictures, and every setting of the run."""
    record = records["hud"]
    assert {"PointFidelity", "BlockDiversity", "seconds per tile"} <= set(record.metrics)
    assert record.metrics["largest loss of the projection"] < np.exp(-8)
    assert len(record.curves["velocity"]) == len(record.curves["iteration"])
    assert record.arrays["percentiles_generated"].shape == (5, 60)
    assert record.images["generated"].shape == (64, 64, 3)
    assert record.settings["iterations"] == settings_of("hud", "smoke", 5)["iterations"]
    assert record.settings["endmembers"] == 5


def test_a_record_survives_the_store(records, tmp_path):
    """What is written is what is read."""
    store = RecordStore(tmp_path)
    for record in records.values():
        assert store.read(store.write(record)) == record


def test_the_judge_is_trained_once(records, planted, tmp_path):
    """Methods of a scene are judged by the same network, kept beside their checkpoints."""
    accuracies = {r.metrics["classifier accuracy of clusters"] for r in records.values()}
    assert len(accuracies) == 1
    again = Judge(planted.cube, None, size=16, clusters=5, iterations=80)
    assert again.net is not None
    assert again.net.accuracy == accuracies.pop()


def test_a_kept_classifier_is_used_and_another_plan_is_another(planted, tmp_path):
    """The same plan finds the network that is there; other settings do not stumble over it."""
    first = Judge(planted.cube, None, size=16, clusters=3, iterations=3, folder=tmp_path)
    (file,) = tmp_path.glob("*.ckpt")
    before = file.stat().st_mtime_ns
    same = Judge(planted.cube, None, size=16, clusters=3, iterations=3, folder=tmp_path)
    assert file.stat().st_mtime_ns == before
    assert first.net is not None
    assert same.net is not None
    for name, value in first.net.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, same.net.state_dict()[name])
    for other in ({"iterations": 4}, {"clusters": 2}, {"size": 12}):
        plan = {"size": 16, "clusters": 3, "iterations": 3, **other}
        Judge(planted.cube, None, **plan, folder=tmp_path)
    assert len(list(tmp_path.glob("*.ckpt"))) == 4


def test_a_scene_too_small_for_a_classifier_has_no_fid(planted):
    """FID and the inception score are left out, with the reason."""
    judge = Judge(
        planted.cube.isel(y=slice(0, 20), x=slice(0, 24)), None, size=16, clusters=5, iterations=1
    )
    assert judge.net is None
    assert judge.why_not
    tiles = torch.rand(2, 60, 16, 16)
    assert not any("FID" in name for name in judge.scores(tiles))


def test_known_classes_name_the_scores(planted):
    """Where classes are known, FID and the inception score are the paper's."""
    rows, columns = planted.cube.shape[:2]
    labels = 1 + (np.arange(columns) // 6 % 2) * np.ones((rows, 1), int)
    judge = Judge(planted.cube, labels, size=16, clusters=5, iterations=2)
    scores = judge.scores(to_tensor(planted.cube)[None, :, :16, :16].repeat(4, 1, 1, 1))
    assert {"FID", "IS", "precision", "recall"} <= set(scores)


def test_density_counts_every_pixel_once():
    """The shares of a band sum to one, values above the top among them."""
    values = np.array([[0.0, 0.5, 2.0, 0.99], [0.1, 0.1, 0.1, 0.1]])
    shares = density(values, 1.0).astype(float) / 65535
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-4)
    assert shares[0, -1] == pytest.approx(0.5, abs=1e-4)


def test_a_mosaic_lays_tiles_out_row_by_row(planted):
    """The first tile lies in the upper left, the second to its right."""
    image = to_tensor(planted.cube)
    tiles = torch.stack([image[:, r : r + 8, :8] for r in (0, 8, 16, 24)])
    shown = mosaic(tiles, planted.cube)
    assert shown.shape == (16, 16, 3)
    np.testing.assert_array_equal(shown[:8, :8], mosaic(tiles[:1], planted.cube))
    np.testing.assert_array_equal(shown[:8, 8:], mosaic(tiles[1:2], planted.cube))


def test_what_a_row_gives_its_method():
    """Preset and length by profile, settings by row, endmembers where they are asked for."""
    assert settings_of("null-tiles", "quick", 9) == {}
    assert settings_of("null-mixtures", "quick", 9) == {"endmembers": 9}
    assert settings_of("ubf", "paper", 9) == {"preset": "paper", "version": "release"}
    assert settings_of("hud-linear", "quick", 4)["encoder"] == "linear"


@pytest.mark.parametrize("scene", REFERENCED)
def test_unmixing_is_recorded_beside_its_reference(scene, data_dir):
    """N-FINDR's endmembers resemble the published ones, and its abundances theirs."""
    (key,) = unmixing_keys(scene, ["n-findr"])
    record = run_cell(key)
    assert record.metrics["mean angle"] < 12.0
    assert record.metrics["abundance RMSE"] < 0.35
    p = len(record.settings["materials"])
    assert record.arrays["endmembers"].shape[1] == p
    assert record.images["abundances"].shape[0] % 2 == 0


def test_a_scene_without_a_reference_is_refused():
    """The error offers those that have one."""
    with pytest.raises(ParameterError, match=r"no reference unmixing of 'samsn'(.|\n)*'samson'"):
        unmixing_keys("samsn")
