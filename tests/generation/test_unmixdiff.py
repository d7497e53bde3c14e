"""UnmixDiff: what its two versions do to the light of a scene, noise levels, and resuming."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, RecordError
from hsirepro.generation import MODELS, Fitted, Patches, training, unmixdiff
from hsirepro.generation.diffusion import SOLVERS, Layout, Schedule, denoising_loss, draw
from hsirepro.generation.unmixdiff import PRESETS, UnmixDiff, stretched
from hsirepro.training import TrainingRun
from hsirepro.unmixing import scene_autoencoder
from hsirepro.unmixing.scene_autoencoder import SceneUnmixing

module = importlib.import_module("hsirepro.generation.unmixdiff")  # the package's is the method
LEVELS = Schedule(2000, 1e-6, 1e-2, levels=True)
TINY: dict[str, Any] = {
    "endmembers": 3,
    "iterations": 4,
    "batch": 4,
    "warm_up": 2,
    "layout": Layout((8, 8), groups=4),
    "unmixing": SceneUnmixing((16,), blocks=1, batch=4, learning_rate=1e-2),
    "unmixing_iterations": 4,
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scene(bands: int = 11) -> Tensor:
    """Return a dark, smooth mixture of three spectra, shape (L, 20, 23), up to 0.3 and never 0."""
    generator = torch.Generator().manual_seed(0)
    corners = 0.25 * torch.rand(bands, 3, generator=generator) + 0.05
    rough = torch.randn(1, 3, 5, 6, generator=generator)
    fields = torch.nn.functional.interpolate(rough, (20, 23), mode="bicubic")[0]
    return torch.einsum("lp,phw->lhw", corners, (4 * fields).softmax(dim=0))


def fitted(
    image: Tensor | None = None, *, checkpoint: Path | None = None, size: int = 8, **changes: Any
) -> Fitted:
    """Return UnmixDiff after a few steps."""
    patches = Patches([scene() if image is None else image], size)
    return unmixdiff(patches, checkpoint=checkpoint, **{**TINY, **changes})


def shares_of(count: int = 2, endmembers: int = 3, size: int = 8) -> Tensor:
    """Return abundances on the simplex, shape (n, p, size, size)."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, endmembers, size, size, generator=generator).softmax(dim=1)


def drawing(monkeypatch: Any, maps: Tensor) -> None:
    """Have the diffusion draw these maps, which it has to keep within [-1, 1]."""

    def drawn(*_: Any, clip: bool, **__: Any) -> Tensor:
        assert clip
        return maps

    monkeypatch.setattr(module, "draw", drawn)


def with_endmembers(version: str) -> UnmixDiff:
    """Return an untrained model of three spectra around 0.15."""
    model = fitted(version=version, iterations=1, unmixing_iterations=1).model
    assert isinstance(model, UnmixDiff)
    spectra = 0.05 + 0.2 * torch.rand(11, 3, generator=torch.Generator().manual_seed(6))
    model.load_state_dict(
        model.state_dict() | {"autoencoder.decoder.weight": spectra[..., None, None]}
    )
    return model


def test_repaired_tiles_are_mixtures_of_the_endmembers(monkeypatch: Any) -> None:
    """Y = E A with A = (x + 1) / 2: no spectrum changes its level on the way."""
    model, shares = with_endmembers("repaired"), shares_of()
    drawing(monkeypatch, 2 * shares - 1)
    drawn = model.sample(2)
    mixed = torch.einsum("lp,bphw->blhw", model.autoencoder.endmembers.detach(), shares)
    assert torch.allclose(drawn.tiles, mixed, atol=1e-6)
    assert drawn.abundances is not None
    assert torch.allclose(drawn.abundances, shares, atol=1e-6)


def test_release_moves_the_level_by_one_line(monkeypatch: Any) -> None:
    """The same abundances give (Y - min E) / (max E - min E): the mean moves as that line says."""
    model, shares = with_endmembers("release"), shares_of()
    drawing(monkeypatch, 2 * shares - 1)
    drawn = model.sample(2)
    endmembers = model.autoencoder.endmembers.detach()
    mixed = torch.einsum("lp,bphw->blhw", endmembers, shares)
    low, high = float(endmembers.min()), float(endmembers.max())
    assert torch.allclose(drawn.tiles, (mixed - low) / (high - low), atol=1e-6)
    shift = float(drawn.tiles.mean() - mixed.mean())
    assert shift == pytest.approx(
        (float(mixed.mean()) - low) / (high - low) - float(mixed.mean()), abs=1e-6
    )
    assert shift > 0.3  # spectra around 0.15 come out around 0.5
    assert drawn.abundances is None


def test_release_mixes_what_was_drawn(monkeypatch: Any) -> None:
    """Abundances off the simplex are used as they are by the release, and scaled when repaired."""
    maps = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(7)) * 2 - 1
    drawing(monkeypatch, maps)
    shares = (maps + 1) / 2
    model = with_endmembers("release")
    endmembers = stretched(model.autoencoder.endmembers.detach()[None, None])[0, 0]
    mixed = torch.einsum("lp,bphw->blhw", endmembers, shares)
    assert torch.allclose(model.sample(2).tiles, mixed, atol=1e-6)
    repaired = with_endmembers("repaired").sample(2).abundances
    assert repaired is not None
    assert torch.allclose(repaired, shares / shares.sum(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize(
    ("version", "smooth", "signed"),
    [("repaired", "band_roughness", False), ("release", "column_roughness", True)],
)
def test_endmembers_of_the_two_versions(
    monkeypatch: Any, version: str, smooth: str, signed: bool
) -> None:
    """Repaired, they are smooth along the bands and not negative; as released, neither."""
    called = []
    for name in ("band_roughness", "column_roughness"):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda e, f=function, n=name: (called.append(n), f(e))[1])
    model = fitted(version=version).model
    assert isinstance(model, UnmixDiff)
    assert set(called) == {smooth}
    assert (float(model.autoencoder.endmembers.detach().min()) < 0.0) == signed


def test_release_is_blind_to_light_and_repaired_is_not() -> None:
    """A scene in half the light: the release draws the same tiles, to the byte."""
    drawn = {
        (version, light): fitted(light * scene(), version=version).model.sample(2, steps=3).tiles
        for version in ("release", "repaired")
        for light in (1.0, 0.5)
    }
    assert torch.equal(drawn["release", 1.0], drawn["release", 0.5])
    assert not torch.equal(drawn["repaired", 1.0], drawn["repaired", 0.5])


@pytest.mark.parametrize("version", ["repaired", "release"])
def test_the_scenes_own_abundances_give_back_the_scene_when_repaired(
    monkeypatch: Any, version: str
) -> None:
    """Had the diffusion drawn them, tiles of a dark scene would be as dark, the release's not."""
    model = fitted(version=version, unmixing_iterations=120).model
    assert isinstance(model, UnmixDiff)
    tiles = Patches([scene()], 8).at(range(0, 200, 10))
    seen, _ = module.shown(tiles, None, version)
    shares = model.autoencoder.encode(seen).detach()
    drawing(monkeypatch, 2 * shares - 1)
    drawn = model.sample(20).tiles
    level = float(tiles.mean())
    if version == "repaired":
        assert float(drawn.mean()) == pytest.approx(level, rel=0.05)
    else:
        assert float(drawn.mean()) > 1.5 * level


@pytest.mark.parametrize("size", [8, 13])
def test_drawn_abundances_lie_on_the_simplex(size: int) -> None:
    """Also at a size that the network's levels do not divide; and no tile is negative."""
    drawn = fitted().model.sample(3, size=size, steps=3, seed=1)
    assert drawn.tiles.shape == (3, 11, size, size)
    assert float(drawn.tiles.min()) >= 0.0
    assert drawn.abundances is not None
    assert float(drawn.abundances.min()) >= 0.0
    assert torch.allclose(drawn.abundances.sum(dim=1), torch.ones(3, size, size), atol=1e-6)


def test_the_diffusion_learns_abundances_within_one(monkeypatch: Any) -> None:
    """Its maps are 2 A - 1: within [-1, 1], summing to 2 - p, and by the absolute error."""
    seen: list[Tensor] = []

    def noted(net: nn.Module, clean: Tensor, schedule: Schedule, **how: bool) -> dict[str, Tensor]:
        assert schedule.levels
        assert how == {"absolute": True}
        seen.append(clean)
        return denoising_loss(net, clean, schedule, **how)

    monkeypatch.setattr(module, "denoising_loss", noted)
    model = fitted().model
    assert isinstance(model, UnmixDiff)
    maps = torch.cat(seen)
    assert maps.shape == (16, 3, 8, 8)
    assert not maps.requires_grad
    assert float(maps.abs().max()) <= 1.0
    assert torch.allclose(maps.sum(dim=1), torch.full((16, 8, 8), -1.0), atol=1e-5)


def test_release_stretches_every_tile() -> None:
    """To [0, 1] over all bands jointly; a constant tile is black, and no error."""
    tiles = torch.rand(4, 5, 3, 7) * torch.tensor([0.1, 1.0, 7.0, 0.0])[:, None, None, None]
    flat = stretched(tiles).flatten(1)
    assert torch.equal(flat.amin(dim=1), torch.zeros(4))
    assert torch.equal(flat.amax(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    order = tiles[:3].flatten(1).argsort(dim=1)
    assert bool((flat[:3].gather(1, order).diff(dim=1) >= 0).all())


# 4 steps of the autoencoder come after one look at the shape of the tiles, then 4 of the diffusion.
@pytest.mark.parametrize(
    ("stop", "version"),
    [
        (1, "repaired"),
        (3, "release"),
        (4, "repaired"),
        (5, "repaired"),
        (6, "release"),
        (8, "repaired"),
    ],
)
def test_resumed_is_uninterrupted(
    tmp_path: Path, monkeypatch: Any, stop: int, version: str
) -> None:
    """Stopped at any step of either phase and taken up again, a run ends with the same bytes."""
    for home in (scene_autoencoder, training):
        monkeypatch.setattr(home, "TrainingRun", partial(TrainingRun, checkpoint_every=1))
    whole = fitted(version=version)
    shown, calls = module.shown, []

    def cut_off(*given: Any) -> tuple[Tensor, Tensor]:
        calls.append(1)
        if len(calls) == stop + 1:
            raise KeyboardInterrupt
        answer: tuple[Tensor, Tensor] = shown(*given)
        return answer

    monkeypatch.setattr(module, "shown", cut_off)
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        fitted(checkpoint=path, version=version)
    torch.randn(3)  # the next process starts with other random numbers
    resumed = fitted(checkpoint=path, version=version)
    looks = 2
    assert len(calls) == looks + 4 + 4 + 1  # no step but the broken one was done twice
    assert sorted(
        file.name for file in tmp_path.glob("*.ckpt*") if "previous" not in file.name
    ) == [
        "run.ckpt",
        "run.ckpt.autoencoder",
    ]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, curve in whole.curves.items():
        np.testing.assert_array_equal(curve, resumed.curves[name])


@pytest.mark.parametrize("other", [{"version": "release"}, {"size": 6}, {"seed": 1}])
def test_checkpoint_of_another_run_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    """Another version, size of tile or seed is another run, in either phase."""
    path = tmp_path / "run.ckpt"
    fitted(checkpoint=path)
    with pytest.raises(RecordError, match=r"autoencoder belongs to another run"):
        fitted(checkpoint=path, **other)
    for file in tmp_path.glob("*.autoencoder*"):
        file.unlink()
    with pytest.raises(RecordError, match=r"run.ckpt belongs to another run"):
        fitted(checkpoint=path, **other)


def test_same_seed_same_bytes_and_the_callers_randomness_stays() -> None:
    """Fitting seeds itself; another seed is another model."""
    before = torch.get_rng_state()
    first = fitted(seed=1).model
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again, other = fitted(seed=1).model, fitted(seed=2).model
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    drawn = [model.sample(2, seed=3, steps=2).tiles for model in (first, again, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("version", ["repaired", "release"])
def test_a_saved_model_draws_the_same_tiles(tmp_path: Path, version: str) -> None:
    """A file of shape and weights is all that is needed to draw."""
    model = fitted(version=version).model
    torch.save({"shape": model.shape, "weights": model.state_dict()}, tmp_path / "model.pt")
    kept = torch.load(tmp_path / "model.pt", weights_only=True)
    empty = MODELS["unmixdiff"](**kept["shape"])
    empty.load_state_dict(kept["weights"])
    assert empty.size == model.size
    one, two = (m.sample(2, seed=4, steps=2).tiles for m in (model, empty))
    assert torch.equal(one, two)


def test_curves_of_both_phases() -> None:
    """The autoencoder's have its name before them."""
    curves = fitted().curves
    parts = {"iteration", "loss", "error", "angle", "roughness"}
    assert set(curves) == {"iteration", "loss", "velocity"} | {f"unmixing_{name}" for name in parts}


def test_layout_of_the_release_has_its_size() -> None:
    """All five levels have the 97.8 million weights of the release to 2 %; three stay."""
    paper = PRESETS["paper"].layout
    whole = Layout((64, 128, 256, 512, 512), blocks=2, attention=(4,), groups=32, dropout=0.2)
    assert paper.widths == whole.widths[:3]
    with torch.device("meta"):
        numbers = [
            sum(weight.numel() for weight in layout.network(5).parameters())
            for layout in (whole, paper)
        ]
    assert numbers[0] == pytest.approx(97_808_069, rel=0.02)
    assert numbers[1] == 14_740_357


def test_impossible_settings_are_refused() -> None:
    """The error names the setting and the nearest right one."""
    with pytest.raises(ParameterError, match=r"version 'repair'(.|\n)*'repaired'"):
        fitted(version="repair")
    with pytest.raises(ParameterError, match=r"no setting 'endmember'(.|\n)*'endmembers'"):
        fitted(endmember=3)
    with pytest.raises(ParameterError, match="UnmixDiff has no preset 'release'"):
        fitted(preset="release")
    with pytest.raises(ParameterError, match="0 iterations"):
        fitted(unmixing_iterations=0)
    with pytest.raises(ParameterError, match="UnmixDiff has no way 'temperature'"):
        fitted().model.sample(1, temperature=2.0)


class TrueNoise(nn.Module):
    """The best prediction for pixels that are N(mean, deviation^2), told the noise level."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))
        self.mean, self.deviation = mean, deviation

    def forward(self, noisy: Tensor, level: Tensor) -> Any:
        assert level.is_floating_point()
        level = level.double().reshape(-1, 1, 1, 1)
        rest = 1.0 - level.square()
        variance = level.square() * self.deviation**2 + rest
        noise = rest.sqrt() * (noisy.double() - level * self.mean) / variance
        return SimpleNamespace(sample=noise.float())


@pytest.mark.parametrize(
    ("solver", "steps"), [("ancestral", 1000), ("ddim", 200), ("dpm-solver++", 25)]
)
def test_told_the_level_the_true_noise_leads_to_the_truth(solver: Any, steps: int) -> None:
    """The samplers tell the network the level at which they stand."""
    net = TrueNoise(0.3, 0.2)
    maps = draw(net, (2, 1, 40, 40), schedule=LEVELS, solver=solver, steps=steps)
    assert float(maps.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(maps.std()) == pytest.approx(0.2, abs=0.02)


def test_noise_of_a_level_is_the_closed_form() -> None:
    """Z = level Z_0 + sqrt(1 - level^2) eps: who knows Z_0 and the level has loss zero."""
    clean = torch.full((64, 2, 4, 4), 0.3)
    told: list[Tensor] = []

    class Perfect(TrueNoise):
        def forward(self, noisy: Tensor, level: Tensor) -> Any:
            told.append(level)
            return super().forward(noisy, level)

    torch.manual_seed(0)
    for _ in range(8):
        loss = denoising_loss(Perfect(0.3, 0.0), clean, LEVELS, absolute=True)
        assert float(loss["noise"]) < 0.02  # rounding, where next to no noise was added
    levels = torch.cat(told)
    assert len(levels.unique()) > 500  # one for every tile, not one for every step
    ends = LEVELS.signal[-1], torch.tensor(1.0)
    assert bool(((levels >= ends[0]) & (levels <= ends[1])).all())


def test_absolute_loss_is_that_of_the_noise() -> None:
    """Nothing predicted: E|eps| = sqrt(2 / pi), and E eps^2 = 1."""

    class Blind(nn.Module):
        def forward(self, noisy: Tensor, told: Tensor) -> Any:
            return SimpleNamespace(sample=torch.zeros_like(noisy))

    clean = torch.zeros(64, 4, 16, 16)
    torch.manual_seed(0)
    loss = denoising_loss(Blind(), clean, LEVELS, absolute=True)["noise"]
    assert float(loss) == pytest.approx((2 / np.pi) ** 0.5, abs=0.01)
    loss = denoising_loss(Blind(), clean, LEVELS)["noise"]
    assert float(loss) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("solver", SOLVERS)
def test_clipped_maps_stay_within_one(solver: Any) -> None:
    """Whatever the network predicts; without the clipping the same prediction leads outside."""
    net = TrueNoise(1.5, 0.1)
    how: dict[str, Any] = {"schedule": LEVELS, "solver": solver, "steps": 10}
    clipped, free = (draw(net, (2, 2, 8, 8), clip=clip, **how) for clip in (True, False))
    assert float(clipped.abs().max()) <= 1.0 + 1e-4
    assert float(free.mean()) > 1.2
