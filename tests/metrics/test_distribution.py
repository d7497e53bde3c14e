"""Point fidelity and block diversity: slow loops, invariances, and spectra without a direction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.metrics import (
    block_diversity,
    block_matches,
    correlation,
    distribution,
    diversity_over_fidelity,
    point_fidelity,
    point_fidelity_map,
)
from hsirepro.scenes import open_scene, to_tensor

READINGS = ("pixelwise", "block")


def smooth_scene(bands: int = 7, height: int = 23, width: int = 31, seed: int = 0) -> Tensor:
    """Return a scene of four smooth spectra, mixed and lit unevenly, float32."""
    rng = np.random.default_rng(seed)
    spectra = 0.5 + 0.4 * np.sin(np.linspace(0, 6, bands) * rng.uniform(0.5, 2, (4, 1)) + seed)
    shares = rng.dirichlet(np.full(4, 0.5), (height, width))
    light = rng.uniform(0.2, 1.0, (height, width, 1))
    return torch.from_numpy((light * (shares @ spectra)).transpose(2, 0, 1).copy()).float()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of two vectors, in float64; an all-zero one is like its like alone."""
    if not a.any() or not b.any():
        return float(not a.any() and not b.any())
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def slow_fidelity(generated: Tensor, scenes: list[Tensor]) -> np.ndarray:
    """Eq. 16, one pair of pixels after the other."""
    pixels = [s.double().numpy()[:, y, x] for s in scenes for y, x in np.ndindex(*s.shape[1:])]
    g = generated.double().numpy()
    n, _, h, w = g.shape
    best = np.empty((n, h, w))
    for i, y, x in np.ndindex(n, h, w):
        best[i, y, x] = max(cosine(g[i, :, y, x], pixel) for pixel in pixels)
    return best


def slow_matches(generated: Tensor, scene: Tensor, reading: str) -> list[tuple[float, int, int]]:
    """Eq. 17, one block after the other."""
    g, s = generated.double().numpy(), scene.double().numpy()
    _, _, h, w = g.shape
    found = []
    for tile in g:
        best = (-2.0, 0, 0)
        for y, x in np.ndindex(s.shape[1] - h + 1, s.shape[2] - w + 1):
            block = s[:, y : y + h, x : x + w]
            if reading == "block":
                value = cosine(tile.ravel(), block.ravel())
            else:
                pairs = zip(tile.reshape(len(s), -1).T, block.reshape(len(s), -1).T, strict=True)
                value = float(np.mean([cosine(a, b) for a, b in pairs]))
            best = max(best, (value, y, x), key=lambda match: match[0])
        found.append(best)
    return found


@pytest.fixture(params=["whole", "chunks"])
def chunks(request, monkeypatch):
    """Run a law as it is, and in chunks so small that all their edges lie inside the images."""
    if request.param == "chunks":
        monkeypatch.setattr(distribution, "_SLAB", 50)
        monkeypatch.setattr(distribution, "_ROWS", 7)
        monkeypatch.setattr(distribution, "_COLUMNS", 11)
        monkeypatch.setattr(correlation, "_WINDOW", 1)  # windows of four tiles
        monkeypatch.setattr(correlation, "_HELD", 16 * 12 * 11 * 2**2)  # two tiles and windows


@pytest.mark.usefixtures("chunks")
def test_point_fidelity_is_that_of_the_loop():
    """Every cosine of eq. 16 against float64, right to 1e-6."""
    scenes = [smooth_scene(height=9, width=11), noise(7, 5, 3)]
    generated = torch.cat(
        [noise(2, 7, 5, 3, seed=1), smooth_scene(height=5, width=3, seed=2)[None]]
    )
    expected = slow_fidelity(generated, scenes)
    np.testing.assert_allclose(point_fidelity_map(generated, scenes), expected, atol=1e-6, rtol=0)
    assert point_fidelity(generated, scenes) == pytest.approx(expected.mean(), abs=1e-6)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("make", [smooth_scene, noise])
def test_block_matches_are_those_of_the_loop(reading, make):
    """Every position of an odd-sized scene, value and place, against a sum in float64."""
    scene = make(7, 13, 17).double() / 3  # no float32 is a third
    generated = torch.cat([make(7, 3, 5, seed=seed)[None].double() / 3 for seed in range(1, 6)])
    expected = slow_matches(generated, scene, reading)
    found = block_matches(generated, scene, reading=reading)
    np.testing.assert_allclose(found.similarity, [e[0] for e in expected], atol=1e-12, rtol=0)
    places = list(zip(found.row.tolist(), found.column.tolist(), strict=True))
    assert places == [e[1:] for e in expected]
    assert block_diversity(generated, scene, reading=reading) == pytest.approx(
        np.mean([e[0] for e in expected]), abs=1e-12
    )


@pytest.mark.parametrize("reading", READINGS)
def test_scene_of_several_windows(reading):
    """Tiles are found wherever they are cut from a scene that takes more than one window."""
    scene = smooth_scene(3, 140, 301)
    corners = [(0, 0), (133, 292), (124, 123), (5, 121), (77, 119), (9, 120), (131, 240)]
    tiles = torch.stack([scene[:, y : y + 7, x : x + 9] for y, x in corners])
    found = block_matches(tiles, scene, reading=reading)
    assert list(zip(found.row.tolist(), found.column.tolist(), strict=True)) == corners
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-12, rtol=0)


@pytest.mark.parametrize("reading", READINGS)
def test_tile_may_be_as_large_as_the_scene(reading):
    """Then there is one position."""
    scene, tile = noise(4, 5, 6), noise(1, 4, 5, 6, seed=1)
    assert block_matches(tile, scene, reading=reading)[1:] == (0, 0, 0)
    expected = slow_matches(tile, scene, reading)[0][0]
    assert block_diversity(tile, scene, reading=reading) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("reading", READINGS)
def test_copy_of_a_place_is_known_as_such(reading):
    """A copied tile has F_p = 1 and D_b = 1, and the place that it came from is found."""
    scenes = [smooth_scene(seed=1), smooth_scene(seed=2)]
    tiles = torch.stack([scenes[1][:, 3:11, 20:28], scenes[0][:, 15:23, 0:8]])
    found = block_matches(tiles, scenes, reading=reading)
    assert [part.tolist() for part in found[1:]] == [[1, 0], [3, 15], [20, 0]]
    assert block_diversity(tiles, scenes, reading=reading) == pytest.approx(1.0, abs=1e-12)
    assert 1.0 - 1e-6 < point_fidelity(tiles, scenes) <= 1.0
    crowd = noise(9, 40, 40)  # among so many, rounding would lift some cosine above 1
    assert point_fidelity_map(crowd[None], crowd).max() <= 1.0


def test_cosines_may_be_negative():
    """A spectrum that points away from all real ones is told as such, not as orthogonal."""
    scene = smooth_scene(height=4, width=5)
    expected = slow_fidelity(-scene[None], [scene])
    assert expected.max() < -0.5
    np.testing.assert_allclose(point_fidelity_map(-scene[None], scene), expected, atol=1e-6)


@pytest.mark.parametrize("reading", READINGS)
def test_shuffled_pixels_are_faithful_and_diverse(reading):
    """Real pixels in another order are all real, and no copy of a place: D_b falls, F_p stays."""
    scene = smooth_scene()
    tile = scene[None, :, 4:16, 8:20]
    order = torch.randperm(144, generator=torch.Generator().manual_seed(0))
    shuffled = tile.flatten(2)[:, :, order].reshape(tile.shape)
    assert point_fidelity(shuffled, scene) == pytest.approx(1.0, abs=1e-6)
    assert block_diversity(shuffled, scene, reading=reading) < 0.995


def test_fidelity_does_not_depend_on_the_order_of_pixels():
    """It looks at spectra alone, on both sides."""
    scene, tiles = smooth_scene(), noise(2, 7, 6, 5).abs()
    there = torch.randperm(23 * 31, generator=torch.Generator().manual_seed(0))
    here = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    moved = tiles.flatten(2)[:, :, here]
    once = point_fidelity_map(tiles, scene).flatten(1)[:, here]
    again = point_fidelity_map(
        moved.reshape(tiles.shape), scene.flatten(1)[:, there].reshape(scene.shape)
    )
    np.testing.assert_allclose(again.flatten(1), once, atol=1e-6, rtol=0)


@pytest.mark.parametrize("reading", READINGS)
def test_brightness_is_of_no_account(reading):
    """Spectra may be scaled: each by itself for F_p and pixels, the whole tile for blocks."""
    scene, tiles = smooth_scene(), smooth_scene(height=6, width=5, seed=3)[None]
    rng = torch.Generator().manual_seed(0)
    lit = tiles * (0.1 + torch.rand(1, 1, 6, 5, generator=rng))
    shaded = scene * (0.1 + torch.rand(1, 23, 31, generator=rng))
    fidelity, diversity = (
        point_fidelity(tiles, scene),
        block_diversity(tiles, scene, reading=reading),
    )
    assert point_fidelity(lit, shaded) == pytest.approx(fidelity, abs=1e-6)
    assert point_fidelity(1e-30 * tiles, 1e30 * scene) == pytest.approx(fidelity, abs=1e-6)
    assert block_diversity(4000.0 * tiles, 1e-3 * scene, reading=reading) == pytest.approx(
        diversity, abs=1e-6
    )
    change = abs(block_diversity(lit, shaded, reading=reading) - diversity)
    assert change < 1e-6 if reading == "pixelwise" else change > 1e-3


def test_readings_differ_where_the_light_does():
    """By hand: one pixel in two points elsewhere; its weight is a half, or that of its energy."""
    scene = torch.tensor([[[1.0, 3.0]], [[0.0, 0.0]]])  # two pixels of one material
    tile = torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]]])[None]  # the second of another
    assert block_diversity(tile, scene, reading="pixelwise") == pytest.approx(0.5, abs=1e-12)
    assert block_diversity(tile, scene, reading="block") == pytest.approx(0.1, abs=1e-12)


@pytest.mark.usefixtures("chunks")
def test_all_zero_spectra():
    """An all-zero spectrum is like another such (1), and like no other (0); in tiles likewise."""
    scene = smooth_scene(height=9, width=8)
    tile = scene[None, :, 2:6, 3:6].clone()
    tile[:, :, 0, 0] = 0.0
    assert point_fidelity(tile, scene) == pytest.approx(11 / 12, abs=1e-6)
    assert block_diversity(tile, scene, reading="pixelwise") == pytest.approx(11 / 12, abs=1e-12)
    black = scene.clone()
    black[:, 2, 3] = 0.0
    assert point_fidelity(tile, black) == pytest.approx(1.0, abs=1e-6)
    assert point_fidelity(scene[None], black) == pytest.approx(1.0, abs=1e-2)
    for reading in READINGS:
        assert block_diversity(tile, black, reading=reading) == pytest.approx(1.0, abs=1e-12)
        # A black tile is found in a black corner, and nowhere in a scene that has none.
        dark = torch.zeros_like(tile)
        corner = scene.clone()
        corner[:, 5:, 5:] = 0.0
        found = block_matches(dark, corner, reading=reading)
        assert (found.row.item(), found.column.item()) == (5, 5)
        assert found.similarity.item() == pytest.approx(1.0, abs=1e-12)
        assert block_diversity(dark, scene, reading=reading) == pytest.approx(0.0, abs=1e-12)
    assert point_fidelity(-scene[None], torch.zeros_like(scene)) == 0.0


def test_dark_place_beside_a_bright_one():
    """The sum over a window is exact enough for a block that is a millionth as bright as it."""
    scene = noise(5, 20, 20).abs()
    scene[:, :10] *= 1e-6
    tile = scene[None, :, 3:7, 8:12]
    found = block_matches(tile, scene, reading="block")
    assert (found.row.item(), found.column.item()) == (3, 8)
    assert found.similarity.item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("bands", [102, 220])
def test_cosines_near_one_are_right_to_1e_6(bands):
    """The spectra of a scene are much alike: float32 against float64 where it matters."""
    scene = smooth_scene(bands, 40, 40)
    tile = smooth_scene(bands, 9, 9, seed=0)[None] + 1e-3 * noise(1, bands, 9, 9)
    a = torch.nn.functional.normalize(tile.double().flatten(2)[0], dim=0)
    b = torch.nn.functional.normalize(scene.double().flatten(1), dim=0)
    expected = (a.T @ b).max(dim=1).values
    assert expected.min() > 0.99
    np.testing.assert_allclose(
        point_fidelity_map(tile, scene).flatten(), expected, atol=1e-6, rtol=0
    )


def test_any_number_type_and_memory_layout():
    """Counts, float64 and views are the same images."""
    scene = (1000 * smooth_scene()).round()
    tile = scene[None, :, 5:12, 6:13]
    stored = scene.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    for kind in (torch.int16, torch.float64):
        assert point_fidelity(tile.to(kind), stored.to(kind)) == pytest.approx(1.0, abs=1e-6)
        found = block_matches(tile.to(kind), stored.to(kind), reading="block")
        assert (found.row.item(), found.column.item()) == (5, 6)


def test_real_scene(data_dir):
    """On a river and its bridge a copy is a copy, and pixels in another order are not."""
    scene = to_tensor(open_scene("pavia-centre-crop"))
    tile = scene[None, :, 40:72, 51:83]
    order = torch.randperm(1024, generator=torch.Generator().manual_seed(0))
    shuffled = tile.flatten(2)[:, :, order].reshape(tile.shape)
    for reading in READINGS:
        found = block_matches(torch.cat([tile, shuffled]), scene, reading=reading)
        assert (found.row[0].item(), found.column[0].item()) == (40, 51)
        assert found.similarity[0].item() == pytest.approx(1.0, abs=1e-12)
        assert found.similarity[1].item() < 0.99
    assert point_fidelity(torch.cat([tile, shuffled]), scene) == pytest.approx(1.0, abs=1e-6)


SCENE, TILES = noise(3, 8, 8), noise(2, 3, 4, 4)
HOLED = SCENE.clone()
HOLED[1, 2, 3] = torch.nan


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: point_fidelity(TILES[0], SCENE), ShapeError, "(3, 4, 4); (n, L, h, w) is needed"),
        (lambda: point_fidelity(TILES[:0], SCENE), ShapeError, "a single tile is tile[None]"),
        (
            lambda: point_fidelity(TILES, TILES),
            ShapeError,
            "real scene 0 has shape (2, 3, 4, 4); (L, H, W)",
        ),
        (lambda: point_fidelity(TILES, []), ShapeError, "no real scene"),
        (
            lambda: point_fidelity(TILES, [SCENE, SCENE[:2]]),
            ShapeError,
            "The real scene 1 has 2 bands, the generated tiles have 3",
        ),
        (lambda: point_fidelity(TILES, HOLED), PixelError, "real scene 0 holds NaN"),
        (lambda: point_fidelity(TILES / 0.0, SCENE), PixelError, "generated holds NaN"),
        (lambda: point_fidelity(TILES.numpy(), SCENE), ParameterError, "generated is a ndarray"),
        (lambda: point_fidelity(TILES, [SCENE.numpy()]), ParameterError, "to_tensor(cube)"),
        (
            lambda: block_diversity(TILES, SCENE, reading="blocks"),
            ParameterError,
            "did you mean 'block'?",
        ),
        (
            lambda: block_diversity(TILES, [SCENE, SCENE[:, :3]], reading="block"),
            ShapeError,
            "Scene 1 of 3 x 8 pixels has no place for a tile of 4 x 4",
        ),
        (lambda: diversity_over_fidelity(0.5, 0.0), ParameterError, "fidelity=0.0 has to be"),
    ],
)
def test_bad_input_is_named(call, error, text):
    """What cannot be compared is refused with the image that is wrong, before work starts."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_inputs_are_left_alone():
    """Looking changes nothing."""
    scene, tiles = SCENE.clone(), TILES.clone()
    point_fidelity(tiles, scene)
    for reading in READINGS:
        block_diversity(tiles, scene, reading=reading)
    assert torch.equal(scene, SCENE)
    assert torch.equal(tiles, TILES)
