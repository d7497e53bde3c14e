"""Unmixing before fusion: which three bands the encoder sees, and that it sees no other."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, WavelengthError
from hsirepro.generation import MODELS, Fitted, Patches, training, ubf
from hsirepro.generation.diffusion import Layout
from hsirepro.generation.ubf import UBF, pseudo_rgb
from hsirepro.generation.unmixdiff import shown, stretched
from hsirepro.training import TrainingRun
from hsirepro.unmixing import scene_autoencoder
from hsirepro.unmixing.scene_autoencoder import SceneUnmixing

NM = np.linspace(430.0, 860.0, 30)
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


def patches(nm: np.ndarray | None = NM, bands: int = 30) -> Patches:
    """Return tiles of random reflectance."""
    image = torch.rand(bands, 20, 23, generator=torch.Generator().manual_seed(0))
    return Patches([image], 8, nm)


def fitted(checkpoint: Path | None = None, **changes: Any) -> Fitted:
    """Return UBF after a few steps."""
    return ubf(patches(), checkpoint=checkpoint, **{**TINY, **changes})


def test_repaired_sees_red_green_and_blue() -> None:
    """The bands nearest to 650, 550 and 470 nm, wherever they stand in the list."""
    for nm in (NM, NM[::-1].copy(), np.random.default_rng(0).permutation(NM)):
        chosen = pseudo_rgb(patches(nm), "repaired")
        assert np.abs(nm[chosen] - [650, 550, 470]).max() <= 430 / 29 / 2


def test_release_sees_bands_by_number() -> None:
    """Bands 7, 17 and 27, whatever their wavelengths, and needs none."""
    assert pseudo_rgb(patches(None), "release") == [7, 17, 27]
    assert pseudo_rgb(patches(NM[::-1].copy()), "release") == [7, 17, 27]


def test_the_encoder_sees_three_bands_and_the_decoder_answers_with_all() -> None:
    """Other bands change no abundance."""
    outcome = fitted()
    model = outcome.model
    assert isinstance(model, UBF)
    chosen = pseudo_rgb(patches(), "repaired")
    assert outcome.settings["inputs"] == model.shape["inputs"] == chosen
    tiles = patches().at([0, 5])
    changed = tiles.clone()
    changed[:, [band for band in range(30) if band not in chosen]] += 1.0
    one, two = (model.autoencoder.encode(shown(t, chosen, "repaired")[0]) for t in (tiles, changed))
    assert torch.equal(one, two)
    assert model.autoencoder(tiles[:, chosen]).shape == tiles.shape


def test_release_stretches_the_three_bands_by_themselves() -> None:
    """Apart from the tile: a bright infrared band does not darken them."""
    tiles = patches().at([0, 5])
    tiles[:, 29] += 4.0
    seen, spectra = shown(tiles, [7, 17, 27], "release")
    assert torch.equal(seen, stretched(tiles[:, [7, 17, 27]]))
    assert torch.equal(spectra, stretched(tiles))
    assert torch.equal(seen.flatten(1).amax(dim=1), torch.ones(2))
    assert float(spectra[:, [7, 17, 27]].max()) < 0.3


@pytest.mark.parametrize("version", ["repaired", "release"])
def test_a_saved_model_draws_the_same_tiles(version: str) -> None:
    """Shape and weights rebuild it."""
    model = fitted(version=version).model
    empty = MODELS["ubf"](**model.shape)
    empty.load_state_dict(model.state_dict())
    one, two = (m.sample(2, size=9, seed=4, steps=2).tiles for m in (model, empty))
    assert one.shape == (2, 30, 9, 9)
    assert torch.equal(one, two)


@pytest.mark.parametrize("stop", [3, 7])
def test_resumed_is_uninterrupted(tmp_path: Path, monkeypatch: Any, stop: int) -> None:
    """Stopped in either phase and taken up again, a run ends with the same bytes."""
    for home in (scene_autoencoder, training):
        monkeypatch.setattr(home, "TrainingRun", partial(TrainingRun, checkpoint_every=1))
    whole = fitted()
    at, calls = Patches.at, []

    def cut_off(self: Patches, positions: list[int]) -> Tensor:
        calls.append(1)
        if len(calls) == stop + 1:
            raise KeyboardInterrupt
        return at(self, positions)

    monkeypatch.setattr(Patches, "at", cut_off)
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        fitted(path)
    resumed = fitted(path)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_missing_colours_are_said() -> None:
    """The error says which colour is missing, and what else to do."""
    with pytest.raises(WavelengthError, match=r"red, green and blue(.|\n)*wavelength="):
        ubf(patches(None), **TINY)
    with pytest.raises(WavelengthError, match=r"40 nm of 470 nm(.|\n)*'unmixdiff'"):
        ubf(patches(np.linspace(520.0, 900.0, 30)), **TINY)
    with pytest.raises(ParameterError, match=r"28 or more; here are 20(.|\n)*repaired"):
        ubf(patches(None, bands=20), version="release", **TINY)
