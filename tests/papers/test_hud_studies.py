"""The studies beside HUD's tables: damages, halves, samplers, looks, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.generation import Patches
from hsirepro.papers.hud import DAMAGED, HALVES, SAMPLERS, keys, planned, prepare, run_cell
from hsirepro.papers.hud import studies as module
from hsirepro.papers.hud.damages import DAMAGES, STRENGTHS
from hsirepro.papers.hud.findings import (
    damage_notes,
    damage_table,
    damage_words,
    halves_table,
    sampler_notes,
)
from hsirepro.papers.hud.looks import looks_of
from hsirepro.papers.hud.studies import SAMPLED, Sampler, halves_of
from hsirepro.records import Record, RecordStore
from hsirepro.scenes import to_tensor


@pytest.fixture(scope="module")
def planted():
    """Return the planted scene, ready for tiles."""
    return prepare("planted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return where the cells of this file share the classifier."""
    return tmp_path_factory.mktemp("cells") / "a" / "b"


def cell_of(table, method):
    (cell,) = keys("planted", "smoke", [method], table=table)
    return cell


# Damages


@pytest.mark.parametrize("name", DAMAGES)
def test_no_damage_of_strength_zero(name):
    """At strength 0 the tiles are what they were, and they are never written into."""
    tiles = torch.rand(6, 3, 5, 4)
    before = tiles.clone()
    for strength in STRENGTHS:
        DAMAGES[name](tiles, strength, torch.Generator().manual_seed(0))
        assert torch.equal(tiles, before)
    same = DAMAGES[name](tiles, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, tiles)


def test_damages_do_what_they_say():
    """Full strength: pixels elsewhere, level doubled, tiles flat, all tiles the first."""
    tiles = torch.rand(6, 3, 5, 4)
    full = {n: d(tiles, 1.0, torch.Generator().manual_seed(0)) for n, d in DAMAGES.items()}
    places = [t.transpose(0, 1).flatten(1) for t in (tiles, full["shuffled"])]
    assert not torch.equal(*places)
    torch.testing.assert_close(*(p[:, p[0].argsort()] for p in places))
    torch.testing.assert_close(full["brighter"], 2 * tiles)
    assert float(full["faded"].std(dim=(2, 3)).max()) < 1e-6
    assert torch.equal(full["collapsed"], tiles[:1].expand_as(tiles))
    assert float(full["noisy"].min()) >= 0.0
    half = DAMAGES["collapsed"](tiles, 0.5, torch.Generator())
    assert torch.equal(half[3:], tiles[3:])


def test_a_record_of_damage_and_what_is_said_of_it(planted, folder):
    """Shuffled real pixels stay real, and are in no place: fidelity is blind, diversity gains."""
    record = run_cell(cell_of(DAMAGED, "shuffled"), planted, checkpoint=folder / "d.ckpt")
    assert record.arrays["strength"].tolist() == pytest.approx(STRENGTHS)
    fidelity, diversity = (record.arrays[n] for n in ("PointFidelity", "BlockDiversity"))
    np.testing.assert_allclose(fidelity, 1.0, atol=1e-5)
    assert diversity[0] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(diversity) < 0).all()
    words = {metric: found["shuffled"] for metric, found in damage_words([record]).items()}
    assert words["PointFidelity"] == "same"
    assert words["BlockDiversity"] == "better"
    assert words["FID of clusters"] == "worse"
    notes = damage_notes([record])
    assert "PointFidelity notices 0 of 1 damages." in notes
    assert any("calls tiles better that are shuffled" in note for note in notes)
    assert "| PointFidelity | same: 1 → 1 |" in damage_table([record])


# Halves


def test_halves_are_the_image():
    """Cut across the longer side, nothing lost and nothing twice."""
    for shape, axis in (((2, 9, 6), 1), ((2, 6, 9), 2)):
        image = torch.rand(shape)
        halves = halves_of(image, 4)
        assert torch.equal(torch.cat([halves.seen, halves.unseen], dim=axis), image)
    with pytest.raises(ParameterError, match="Half of 6 x 9 pixels does not hold a tile of 5 x 5"):
        halves_of(image, 5)


def test_copies_of_the_seen_half_are_found_there_only(planted, folder):
    """Copied tiles have a diversity of 1 against the seen half, and less against the other."""
    record = run_cell(cell_of(HALVES, "null-tiles"), planted, checkpoint=folder / "h.ckpt")
    rows, real = halves_table([record])
    seen, unseen = rows["null-tiles"]
    assert seen == pytest.approx(1.0, abs=1e-5)
    assert unseen < 0.9999
    assert real < 0.9999
    image = to_tensor(planted.cube)
    tiles = Patches([halves_of(image, 16).seen], 16).draw(4)
    assert tiles.shape == (4, 60, 16, 16)


# Samplers


def test_every_sampler_is_judged_and_timed(planted, folder, monkeypatch, tmp_path):
    """One training serves all samplers; each has its numbers, and they survive the store."""
    few = (Sampler("ancestral", 4), Sampler("ddim", 2), Sampler("dpm-solver++", 2))
    monkeypatch.setattr(module, "SAMPLED", few)
    monkeypatch.setattr(module, "DRAWS", 2)
    record = run_cell(cell_of(SAMPLERS, "hud"), planted, checkpoint=folder / "s.ckpt")
    assert record.settings["samplers"] == ["ancestral 4", "ddim 2", "dpm-solver++ 2"]
    assert record.arrays["PointFidelity"].shape == (3, 2)
    assert (record.arrays["seconds per tile"] > 0).all()
    assert record.metrics["PointFidelity, ddim 2"] == pytest.approx(
        record.arrays["PointFidelity"][1].mean()
    )
    store = RecordStore(tmp_path)
    assert store.read(store.write(record)) == record


def test_the_fewest_steps_that_do_are_named():
    """A solver is as good as the longest sampler from where its mean is within the draws."""
    (cell,) = keys("planted", "smoke", ["hud"], table=SAMPLERS)
    record = Record(
        cell,
        {"PointFidelity": 1.0},
        arrays={
            "PointFidelity": np.array([[0.90, 0.92], [0.91, 0.91], [0.5, 0.5]]),
            "FID": np.array([[5.0, 6.0], [7.0, 7.0], [9.0, 9.0]]),
            "seconds per tile": np.array([[10.0, 10.0], [0.5, 0.5], [0.2, 0.2]]),
        },
        settings={"samplers": ["ancestral 1000", "ddim 50", "ddim 10"]},
    )
    spread, fidelity, _, fid = sampler_notes(record)
    assert "2 draws of one sampler, of other seeds, lie from 0.9 to 0.92" in spread
    assert "50 steps (0.500 s a tile) are no worse than the worst of 2 draws" in fidelity
    assert "none of the numbers of steps tried" in fid


def test_the_paper_sampler_is_among_those_compared():
    """Eq. 14 with a thousand steps, and four numbers of steps of each solver."""
    assert Sampler("ancestral", 1000) in SAMPLED
    assert {one.steps for one in SAMPLED} == {1000, 100, 50, 20, 10}


# All studies


def test_a_sweep_holds_every_study_once():
    """Tables first, the studies on the crops that are named for them."""
    cells = planned("quick")
    assert len(cells) == len(set(cells))
    assert {cell.table for cell in cells} == {"I-III", DAMAGED, HALVES, SAMPLERS}


@pytest.mark.parametrize(
    ("table", "method"), [("sampler", "hud"), (SAMPLERS, "vae"), (DAMAGED, "hud")]
)
def test_rows_and_tables_that_are_not_there_are_named(table, method):
    """A typo is answered with the nearest name."""
    with pytest.raises(ParameterError, match=r"HUD(.s| has no) table"):
        keys("planted", "smoke", [method], table=table)


# Looks


def test_blur_noise_and_frames_are_told_apart():
    """Real tiles have 1 and 1; smooth ones less detail, noisy ones more; only frames are frames."""
    generator = np.random.default_rng(0)
    real = np.kron(generator.random((64, 64)), np.ones((2, 2)))[1:-1, 1:-1, None] * np.ones(3)
    real = real[:112, :112]
    assert looks_of(real, real, 16) == pytest.approx((1.0, 1.0))
    noisy = looks_of(real + generator.random(real.shape[:2])[..., None], real, 16)
    assert noisy.detail > 1.1
    faded = looks_of(0.3 * real, real, 16)
    assert faded == pytest.approx((0.3, 1.0))
    noise = generator.random((112, 112, 1)) * np.ones(3)
    assert looks_of(noise, noise[::-1], 16).frame == pytest.approx(1.0, abs=0.1)
    framed = noise.copy()
    framed[::16] += 1.0
    framed[15::16] += 1.0
    assert looks_of(framed, noise, 16).frame > 1.5
