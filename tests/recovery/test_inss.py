"""INSS and PDASS: counts of the facts, what each setting changes, and planted truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError
from hsirepro.recovery.inss import (
    PRESETS,
    SHAPING,
    band_weights,
    colour_bands,
    first_atmosphere,
    inss,
    paper_schedule,
)
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.library import library_of
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.pdass import pdass
from hsirepro.scenes.libraries import make_library

NM = np.linspace(430.0, 890.0, 12)
SHORT = {"iterations": 2, "batch": 2, "crop": 64, "width": 2, "critic_width": 2, "warm_up": 0}


def spectra(count=6, nm=NM):
    """Return a library of slopes and bells."""
    share = np.linspace(0.0, 1.0, count)[:, None]
    line = 0.1 + 0.5 * (share + (1 - 2 * share) * (nm - 430.0) / 460.0)
    bell = 0.3 * np.exp(-0.5 * ((nm - 460.0 - 380.0 * share) / 60.0) ** 2)
    names = [f"spectrum {number}" for number in range(count)]
    return make_library(line + bell, names, nm, np.full(len(nm), 40.0))


def planted(seed=0, count=2, side=64):
    """Return linear mixtures of the library in smooth patches, under a made atmosphere."""
    make = torch.Generator().manual_seed(seed)
    library = torch.from_numpy(spectra().values.T).float()
    sun = torch.from_numpy(0.8 + 0.4 * np.sin(NM / 70.0)).float()
    rgb, hsi = [], []
    for _ in range(count):
        coarse = torch.randn(1, 6, 8, 8, generator=make) * 2.0
        smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
        image = sun[:, None, None] * torch.einsum("lm,mhw->lhw", library, smooth[0].softmax(dim=0))
        hsi.append(image)
        rgb.append(image[colour_bands(NM, "a test")])
    return Pairs(rgb, hsi, NM)


def shaped(preset, **change):
    """Return an empty model of a preset."""
    config = PRESETS[preset]
    return INSS(
        **{"bands": 224, "materials": 345, **{n: getattr(config, n) for n in SHAPING}, **change}
    )


def count(module):
    """Return the number of parameters."""
    return sum(p.numel() for p in module.parameters())


def test_parameters_are_those_of_the_facts():
    """F with t has 147,912,377 of them, T of the release 3,646,578."""
    model = shaped("release")
    assert count(model.net) + model.atmosphere.numel() == 147_912_377
    assert count(model.transform) == 3_646_578


def test_parts_are_what_they_are_called():
    """Abundances on the simplex, the linear part eq. 2, everything finite and of the right size."""
    model = shaped("small", bands=12, materials=6, width=2)
    model.library.copy_(torch.rand(12, 6))
    parts = model.parts(torch.rand(2, 3, 64, 128))
    a = parts["abundances"]
    assert a.shape == (2, 6, 64, 128)
    assert float(a.detach().min()) >= 0
    assert torch.allclose(a.sum(dim=1), torch.ones(2, 64, 128), atol=1e-5)
    linear = torch.einsum("l,lm,bmhw->blhw", model.atmosphere, model.library, a)
    assert torch.allclose(parts["linear"], linear, atol=1e-5)
    assert parts["image"].shape == linear.shape
    assert torch.isfinite(parts["image"]).all()
    assert not torch.equal(parts["image"], parts["linear"])


def fed(model, name, monkeypatch):
    """Return what a part of a model is given when the model runs."""
    seen = {}
    part = getattr(model, name)
    real = type(part).__call__

    def watching(self, *given):
        if self is part:
            seen["given"] = given
        return real(self, *given)

    monkeypatch.setattr(type(part), "__call__", watching)
    model.parts(torch.rand(2, 3, 64, 64))
    monkeypatch.undo()
    return seen["given"]


@pytest.mark.parametrize("detached", [True, False])
def test_a_detached_transform_teaches_the_net_nothing(monkeypatch, detached):
    """What T is given has a past in F, or has none."""
    model = shaped("small", bands=12, materials=6, width=2, detached=detached)
    (features,) = fed(model, "transform", monkeypatch)
    assert features.shape == (2, 16, 4, 4)
    assert features.requires_grad != detached


@pytest.mark.parametrize("signed", [True, False])
def test_released_weights_are_not_negative(monkeypatch, signed):
    """The release cuts the predicted weights at 0; the text does not."""
    model = shaped("small", bands=12, materials=6, width=2, signed=signed)
    weights = fed(model, "mixing", monkeypatch)[1]
    assert (float(weights.detach().min()) < 0) == signed


def test_atmosphere_starts_where_it_is_told():
    """Band by band the mean over the library's 10th percentile; its mean; or at random."""
    mean, library = torch.tensor([0.2, 0.6]), torch.linspace(0, 1, 11).expand(2, -1)
    assert first_atmosphere(mean, library, "library").tolist() == pytest.approx([2.0, 6.0])
    assert first_atmosphere(mean, library, "flat").tolist() == pytest.approx([4.0, 4.0])
    torch.manual_seed(0)
    drawn = first_atmosphere(mean.repeat(500), library.repeat(500, 1), "random")
    assert 0 <= float(drawn.min()) < 0.2
    assert 7.8 < float(drawn.max()) <= 8


def test_bands_are_weighted_by_what_they_vary():
    """By variance, by deviation as the code has it, or not; always one in all."""
    variance = torch.tensor([1.0, 9.0])
    assert band_weights(variance, "variance").tolist() == pytest.approx([0.1, 0.9])
    assert band_weights(variance, "deviation").tolist() == pytest.approx([0.25, 0.75])
    assert band_weights(variance, "none").tolist() == pytest.approx([0.5, 0.5])


def test_the_released_schedule_climbs_again():
    """Down at epoch 100, back at the start value at 180, as the facts have it."""
    assert paper_schedule(100) == pytest.approx(0.0)
    assert paper_schedule(180) == pytest.approx(1.0)
    assert paper_schedule(10) == 1.0


@pytest.mark.parametrize("method", [inss, pdass], ids=["inss", "pdass"])
def test_planted_mixtures_are_recovered(method):
    """After a short training the error is 0.6 of that of the mean spectrum, at most."""
    train, test = planted(), planted(seed=7, count=1)
    fitted = method(
        train, library=spectra(), validation=planted(seed=5, count=1), iterations=120, batch=2,
        width=4, critic_width=2, learning_rate=1e-2, validate_every=40, warm_up=10,
    )  # fmt: skip
    made = fitted.model.reconstruct(test.rgb[0])
    mean = train.band_statistics()[0][:, None, None]
    error = (made.image - test.hsi[0]).square().mean().sqrt()
    assert error < (mean - test.hsi[0]).square().mean().sqrt() * 0.6
    assert torch.allclose(made.abundances.sum(dim=0), torch.ones(64, 64), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "release", "crop": 64},
        {"hsv": 0.0, "order": 1, "band_weights": "none"},
        {"order": 4, "tile": 8, "hidden": (4, 4), "detached": True, "start": "flat"},
        {"adversarial": 0.0, "start": "random"},
    ],
    ids=str,
)
def test_every_ablation_trains(change):
    """Terms of the loss come and go with the settings; all weights stay finite."""
    fitted = inss(planted(), library=spectra(), **{**SHORT, **change})
    terms = set(fitted.curves)
    assert ("hsv" in terms) == (change.get("hsv") != 0.0)
    assert ("cosine_again" in terms) == (change.get("preset") == "release")
    assert ("reflections" in terms) == (
        change.get("preset") != "release" and change.get("order") != 1
    )
    assert ("spatial_made" in terms) == (change.get("adversarial") != 0.0)
    assert all(torch.isfinite(p).all() for p in fitted.model.parameters())


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"library": None}, ParameterError, "mixes the spectra of a library"),
        ({"start": "flaat"}, ParameterError, "no start 'flaat'"),
        ({"band_weights": "all"}, ParameterError, "no band_weights 'all'"),
        ({"ordr": 2}, ParameterError, "'ordr'"),
        ({"preset": "papr"}, ParameterError, "'papr'"),
        ({"tile": 64}, ParameterError, "no features 64 times coarser"),
        ({"batch": 1, "crop": 32}, ParameterError, "single coarsest feature"),
        ({"stages": 7}, ParameterError, "stages=7"),
    ],
)
def test_what_cannot_be_is_refused(change, error, text):
    """Before training, with what is wrong."""
    with pytest.raises(error, match=text):
        inss(planted(), **{"library": spectra(), **SHORT, **change})


# The library at the bands of the images


def test_another_sensor_is_resampled_aloud():
    """A library of other bands is brought to those of the images, with a warning."""
    fine = spectra(nm=np.linspace(400.0, 950.0, 111))
    with pytest.warns(UserWarning, match="library of 111 bands is resampled to the 12"):
        found = library_of(planted(), fine, "INSS")
    assert found.shape == (12, 6)
    assert np.abs(found.numpy().T - spectra().values).max() < 0.02


def test_a_library_that_does_not_cover_is_refused():
    """Nothing is extrapolated."""
    short = spectra(nm=np.linspace(500.0, 800.0, 31))
    with pytest.raises(WavelengthError, match="bands of the images lie outside the library"):
        library_of(planted(), short, "INSS")


def test_gaps_and_unknown_wavelengths_are_refused():
    """Deleted channels, and bands whose number alone does not fit."""
    holed = spectra()
    holed.values[2, 3] = np.nan
    with pytest.raises(PixelError, match="1 of 6 spectra"):
        library_of(planted(), holed, "INSS")
    blind = Pairs([torch.rand(3, 8, 8)], [torch.rand(7, 8, 8)])
    with pytest.raises(ShapeError, match="12 bands and the images 7"):
        library_of(blind, spectra(), "INSS")
    with pytest.raises(WavelengthError, match="hsv=0"):
        colour_bands(None, "INSS")
    with pytest.raises(WavelengthError, match="No band lies within 40 nm of 685 nm"):
        colour_bands(np.linspace(430, 600, 9), "INSS")
