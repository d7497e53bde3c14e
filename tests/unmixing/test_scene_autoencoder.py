"""The scene autoencoder: its size, its loss, a planted mixture, and a training to be resumed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, RecordError
from hsirepro.scenes.materials import endmember_spectra
from hsirepro.training import TrainingRun
from hsirepro.unmixing import scene_autoencoder
from hsirepro.unmixing.scene_autoencoder import (
    FittedAutoencoder,
    SceneAutoencoder,
    SceneUnmixing,
    band_roughness,
    column_roughness,
    reconstruction_loss,
    train_scene_autoencoder,
)

TINY = SceneUnmixing((16,), blocks=1, batch=4, learning_rate=1e-2)


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def planted(bands: int = 24) -> Tensor:
    """Return a noise-free linear mixture of three materials in smooth fields, (L, 40, 44)."""
    nm = np.linspace(430.0, 860.0, bands)
    corners = endmember_spectra(("vegetation", "soil", "concrete"), nm)
    rough = torch.randn(1, 3, 8, 9, generator=torch.Generator().manual_seed(3))
    fields = torch.nn.functional.interpolate(rough, (40, 44), mode="bicubic")[0]
    shares = (4 * fields).softmax(dim=0)
    return torch.einsum("pl,phw->lhw", torch.from_numpy(corners).float(), shares)


def tiles_of(image: Tensor, count: int) -> Tensor:
    """Return random tiles, shape (count, L, 8, 8), by torch's global generator."""
    pairs = zip(torch.randint(33, (count,)), torch.randint(37, (count,)), strict=True)
    return torch.stack([image[:, r : r + 8, c : c + 8] for r, c in pairs])


def trained(iterations: int = 12, every: int = 1, **changes: Any) -> FittedAutoencoder:
    """Return an autoencoder after a few steps on the planted scene, of which it sees some bands."""
    image = planted()

    def draw(count: int) -> tuple[Tensor, Tensor]:
        tiles = tiles_of(image, count)
        return tiles[:, ::every], tiles

    options = {"endmembers": 3, "iterations": iterations, **changes}
    return train_scene_autoencoder(draw, TINY, **options)


@pytest.mark.parametrize(("inputs", "bands", "published"), [(3, 59, 2_247_329), (3, 31, 2_247_189)])
def test_number_of_weights_is_the_published_one(inputs: int, bands: int, published: int) -> None:
    """Pseudo-RGB to five endmembers to Chikusei's 59 bands, and to the 31 of ARAD."""
    model = SceneAutoencoder(inputs, 5, bands)
    assert sum(weights.numel() for weights in model.parameters()) == published


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (9, 16)])
def test_abundances_lie_on_the_simplex(size: tuple[int, int]) -> None:
    """At any size of tile they are not negative and sum to one; the decoder mixes linearly."""
    torch.manual_seed(0)
    model = SceneAutoencoder(6, 4, 11, widths=(16, 32), blocks=2)
    tiles = torch.rand(3, 6, *size)
    shares = model.encode(tiles)
    assert shares.shape == (3, 4, *size)
    assert bool((shares >= 0.0).all())
    assert torch.allclose(shares.sum(dim=1), torch.ones(3, *size), atol=1e-6)
    assert torch.equal(model.endmembers, model.decoder.weight[:, :, 0, 0])
    mixed = torch.einsum("lp,bphw->blhw", model.endmembers, shares)
    assert torch.allclose(model(tiles), mixed, atol=1e-6)


def test_blocks_add_a_tenth() -> None:
    """A group is x + (blocks of it), each block a tenth of its branch: written out from weights."""
    torch.manual_seed(1)
    model = SceneAutoencoder(5, 3, 7, widths=(16,), blocks=1).double()
    w = dict(model.named_parameters())
    conv = torch.nn.functional.conv2d
    tiles = torch.rand(2, 5, 6, 5, dtype=torch.float64)

    def layer(x: Tensor, name: str) -> Tensor:
        weight = w[f"encoder.{name}.weight"]
        return conv(x, weight, w[f"encoder.{name}.bias"], padding=weight.shape[-1] // 2)

    x = layer(tiles, "0")
    pair = "1.branch"
    y = x + 0.1 * layer(layer(x, f"{pair}.0.branch.0").relu(), f"{pair}.0.branch.2")
    z = layer(layer(y, f"{pair}.1.branch.0").relu(), f"{pair}.1.branch.2")
    means = z.mean(dim=(2, 3), keepdim=True)
    hidden = layer(means, f"{pair}.1.branch.3.weigh.1").relu()
    assert hidden.shape[1] == 1  # 16 channels over the reduction of 16
    attention = layer(hidden, f"{pair}.1.branch.3.weigh.3").sigmoid()
    group = x + (y + 0.1 * attention * z)
    expected = layer(group, "2").softmax(dim=1)
    assert torch.allclose(model.encode(tiles), expected, rtol=0, atol=1e-12)


def test_loss_is_charbonnier_and_a_tenth_of_the_angle() -> None:
    """Against the formulas in NumPy: root of squares plus 1e-6, and the angle in radians."""
    torch.manual_seed(2)
    estimate, spectra = torch.rand(2, 3, 9, 5, 4, dtype=torch.float64)
    terms = reconstruction_loss(estimate, spectra)
    a, b = estimate.numpy(), spectra.numpy()
    error = np.mean(np.sqrt((a - b) ** 2 + 1e-6))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    angle = np.mean(np.arccos((a * b).sum(axis=1) / lengths))
    assert float(terms["error"]) == pytest.approx(error, rel=1e-12)
    assert float(terms["angle"]) == pytest.approx(0.1 * angle, rel=1e-9)


def test_the_angle_is_blind_to_light() -> None:
    """A brighter spectrum of the same shape has another error and no angle."""
    spectra = torch.rand(1, 8, 3, 3) + 0.1
    terms = reconstruction_loss(3 * spectra, spectra)
    assert float(terms["angle"]) < 1e-4
    assert float(terms["error"]) > 0.2


def test_band_roughness_is_of_spectra_and_column_roughness_of_their_list() -> None:
    """Flat spectra have no roughness along bands; that of the release depends on the order."""
    flat = torch.tensor([[0.1, 0.7, 0.3]]).repeat(20, 1)
    assert float(band_roughness(flat)) == 0.0
    assert float(column_roughness(flat)) == pytest.approx(0.015 * (0.6**2 + 0.4**2))
    sorted_flat = flat[:, [0, 2, 1]]
    assert float(column_roughness(sorted_flat)) == pytest.approx(0.015 * (0.2**2 + 0.4**2))
    comb = torch.tensor([0.0, 1.0]).repeat(10)[:, None].repeat(1, 3)  # the same, thrice
    assert float(column_roughness(comb)) == 0.0
    assert float(band_roughness(comb)) == pytest.approx(1e-3 * 19)


def test_band_roughness_is_that_of_the_curve() -> None:
    """Of a spectrum that only rises it is the rise, however many bands sample it."""
    for bands in (5, 50):
        rising = torch.linspace(0.2, 0.8, bands).square()[:, None]
        assert float(band_roughness(rising)) == pytest.approx(1e-3 * (0.64 - 0.04), rel=1e-5)


def awkward(kind: str) -> Tensor:
    """Return tiles of an odd size on which a cosine or a root may fail."""
    tiles = torch.rand(2, 6, 7, 5, generator=torch.Generator().manual_seed(4))
    return {
        "random": tiles,
        "constant": torch.full_like(tiles, 0.3),
        "black": torch.zeros_like(tiles),
        "one black pixel": tiles * (torch.arange(5) > 0),
    }[kind]


@pytest.mark.parametrize("kind", ["random", "constant", "black", "one black pixel"])
def test_gradients_are_finite(kind: str) -> None:
    """At odd sizes, on constant tiles and on black pixels, which have no direction."""
    torch.manual_seed(0)
    model = SceneAutoencoder(6, 3, 6, widths=(16,), blocks=1)
    tiles = awkward(kind)
    loss = sum(reconstruction_loss(model(tiles), tiles).values()) + band_roughness(model.endmembers)
    loss.backward()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert bool(torch.isfinite(weights.grad).all()), name


@pytest.mark.parametrize("kind", ["random", "constant", "black"])
def test_a_perfect_estimate_has_finite_gradients(kind: str) -> None:
    """The arc cosine is infinitely steep at cosine 1, where the training is to end."""
    spectra = awkward(kind)
    estimate = spectra.clone().requires_grad_()
    sum(reconstruction_loss(estimate, spectra).values()).backward()
    assert bool(torch.isfinite(estimate.grad).all())


@pytest.mark.parametrize(("every", "iterations", "bound"), [(1, 300, 0.015), (8, 600, 0.03)])
def test_a_planted_mixture_is_reconstructed(every: int, iterations: int, bound: float) -> None:
    """From all bands, or from three: far below what the mean spectrum leaves (0.077)."""
    model = trained(iterations, every).model
    tiles = tiles_of(planted(), 60)
    with torch.no_grad():
        made = model(tiles[:, ::every])
    spread = (tiles - tiles.mean(dim=(0, 2, 3), keepdim=True)).square().mean().sqrt()
    assert float(spread) == pytest.approx(0.077, abs=0.005)
    assert float((made - tiles).square().mean().sqrt()) < bound


def test_endmembers_do_not_turn_negative_unless_they_may() -> None:
    """Half of them start below 0; with the constraint none is left there after a step."""
    kept, free = (trained(1, nonnegative=choice).model.endmembers for choice in (True, False))
    assert float(kept.detach().min()) == 0.0
    assert float(free.detach().min()) < -0.3
    assert torch.equal(kept, free.clamp_min(0.0))


def test_same_seed_same_bytes() -> None:
    """And another seed gives another network."""
    first, again, other = trained(), trained(), trained(seed=1)
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    assert not torch.equal(first.model.endmembers, other.model.endmembers)


def test_a_state_dictionary_refills_the_model() -> None:
    """What is saved is all: an empty model filled with it gives the same abundances."""
    model = trained().model
    empty = SceneAutoencoder(24, 3, 24, widths=(16,), blocks=1)
    empty.load_state_dict(model.state_dict())
    tiles = torch.rand(1, 24, 5, 7)
    assert torch.equal(empty.encode(tiles), model.encode(tiles))


@pytest.mark.parametrize("stop", [1, 7, 10])
def test_resumed_is_uninterrupted(tmp_path: Path, monkeypatch: Any, stop: int) -> None:
    """Stopped at any step and taken up again, also after the rate has dropped: the same bytes."""
    monkeypatch.setattr(
        scene_autoencoder, "TrainingRun", partial(TrainingRun, checkpoint_every=1, log_every=2)
    )
    whole = trained()
    calls: list[int] = []

    def cut_off(*given: Tensor) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == stop + 1:
            raise KeyboardInterrupt
        return reconstruction_loss(*given)

    monkeypatch.setattr(scene_autoencoder, "reconstruction_loss", cut_off)
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        trained(checkpoint=path)
    resumed = trained(checkpoint=path)
    assert len(calls) == 12 + 1  # no step but the broken one was done twice
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, curve in whole.curves.items():
        np.testing.assert_array_equal(curve, resumed.curves[name])


def test_curves_name_every_term() -> None:
    """The loss is the sum of error, angle and roughness."""
    curves = trained().curves
    assert set(curves) == {"iteration", "loss", "error", "angle", "roughness"}
    total = curves["error"] + curves["angle"] + curves["roughness"]
    np.testing.assert_allclose(curves["loss"], total, rtol=1e-6)


def test_the_rate_drops_in_the_last_quarter(monkeypatch: Any) -> None:
    """Steps 1 to 9 of 12 at the full rate, the rest at a tenth of it."""
    step, rates = torch.optim.Adam.step, []

    def noted(optimizer: torch.optim.Adam) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        step(optimizer)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    trained()
    assert rates == pytest.approx([1e-2] * 9 + [1e-3] * 3)


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    """The caller's fingerprint says what the run is."""
    path = tmp_path / "run.ckpt"
    trained(checkpoint=path, fingerprint="a scene")
    with pytest.raises(RecordError, match="belongs to another run"):
        trained(checkpoint=path, fingerprint="another")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"widths": (16, 8)}, "attention"),
        ({"widths": ()}, "attention"),
        ({"blocks": 0}, "blocks=0"),
    ],
)
def test_impossible_networks_are_refused(settings: dict[str, Any], text: str) -> None:
    """The error names the setting and what to give."""
    with pytest.raises(ParameterError, match=rf"{text}(.|\n)*next step"):
        SceneUnmixing(**settings)


@pytest.mark.parametrize("name", ["endmembers", "iterations"])
def test_impossible_trainings_are_refused(name: str) -> None:
    """Nothing is unmixed by no endmembers, or in no steps."""
    with pytest.raises(ParameterError, match=f"^0 {name}"):
        trained(**{"iterations": 3, name: 0})
