"""The bench that all recovery methods share: pairs, tiles, training, validation, regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.recovery.model import Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.regression import Regression, monomials, regression
from hsirepro.recovery.training import Critic, RecoveryLength, band_psnr, fit_network

MIX = torch.rand(5, 3, generator=torch.Generator().manual_seed(4))


class Convolution(Recoverer):
    """One 3 x 3 convolution, with normalisation if asked for."""

    multiple = 4

    def __init__(self, bands, norm=False):
        super().__init__()
        self.bands, self.shape = bands, {"bands": bands, "norm": norm}
        conv = nn.Conv2d(3, bands, 3, padding=1)
        self.net = nn.Sequential(conv, nn.BatchNorm2d(bands)) if norm else conv

    def parts(self, rgb):
        assert not any(side % self.multiple for side in rgb.shape[2:])
        return {"image": self.net(rgb)}


class Judge(Critic):
    """One 4 x 4 convolution over colours and spectra."""

    def __init__(self, weight=0.1):
        super().__init__(weight, every=3, learning_rate=1e-2)
        self.conv = nn.Conv2d(8, 1, 4)

    def opinions(self, rgb, hsi):
        return {"patch": self.conv(torch.cat([rgb, hsi], dim=1))}


def linear_pairs(count=2, rows=24, columns=31, seed=0):
    """Return images whose five bands mix three colours."""
    make = torch.Generator().manual_seed(seed)
    rgb = [torch.rand(3, rows, columns, generator=make) for _ in range(count)]
    return Pairs(rgb, [torch.einsum("lc,chw->lhw", MIX, image) for image in rgb])


def fit(pairs=None, **change):
    """Fit a convolution, quickly."""
    given = {"checkpoint": None, "validation": linear_pairs(1, seed=9), "critic": None, **change}
    config = {"iterations": 60, "crop": 12, "validate_every": 10, "warm_up": 0, **{
        name: value for name, value in change.items() if name in RecoveryLength.__dataclass_fields__
    }}  # fmt: skip
    return fit_network(
        lambda: Convolution(5, norm=change.get("norm", False)),
        lambda parts, rgb, hsi: {"error": (parts["image"] - hsi).abs().mean()},
        config=RecoveryLength(**config),
        pairs=pairs or linear_pairs(),
        validation=given["validation"],
        seed=0,
        device="cpu",
        progress=False,
        checkpoint=given["checkpoint"],
        title="test",
        build_critic=given["critic"],
    )


# Pairs


def test_crops_are_of_one_place_turned_alike():
    """Colours and bands stay on each other in all eight ways, and all eight occur."""
    pairs = linear_pairs()
    torch.manual_seed(0)
    rgb, hsi = pairs.draw(64, 8, flips=True)
    assert torch.allclose(torch.einsum("lc,bchw->blhw", MIX, rgb), hsi, atol=1e-6)
    ramp = torch.arange(24.0)[:, None] * 100 + torch.arange(31.0)
    placed = Pairs([ramp.expand(3, -1, -1)], [ramp.expand(1, -1, -1)])
    crops, _ = placed.draw(200, 4, flips=True)
    steps = {(int(c[0, 0, 1] - c[0, 0, 0]), int(c[0, 1, 0] - c[0, 0, 0])) for c in crops}
    assert steps == {(a, b) for a in (1, -1) for b in (100, -100)} | {
        (b, a) for a in (1, -1) for b in (100, -100)
    }


def test_every_position_can_be_drawn():
    """Of an image of 3 x 4 and one of 2 x 2, all 6 + 1 crops of 2 x 2, and no other."""
    first, second = torch.arange(12.0).view(1, 3, 4), 100 + torch.arange(4.0).view(1, 2, 2)
    pairs = Pairs([first.expand(3, -1, -1), second.expand(3, -1, -1)], [first, second])
    _, crops = pairs.draw(300, 2, generator=torch.Generator().manual_seed(0))
    assert {float(crop[0, 0, 0]) for crop in crops} == {0, 1, 2, 4, 5, 6, 100}


@pytest.mark.parametrize(
    ("rgb", "hsi", "error", "text"),
    [
        ([], [], ShapeError, "0 colour images"),
        ([torch.rand(3, 4, 4)], [], ShapeError, "1 colour images and 0"),
        ([torch.rand(4, 4, 4)], [torch.rand(5, 4, 4)], ShapeError, "are no pair"),
        ([torch.rand(3, 4, 4)], [torch.rand(5, 4, 6)], ShapeError, "are no pair"),
        ([torch.rand(3, 4, 4)] * 2, [torch.rand(5, 4, 4), torch.rand(6, 4, 4)], ShapeError, "5, 6"),
        ([torch.full((3, 4, 4), torch.nan)], [torch.rand(5, 4, 4)], PixelError, "NaN"),
    ],
)
def test_what_makes_no_pairs_is_refused(rgb, hsi, error, text):
    """Numbers, sizes, bands and values that do not fit."""
    with pytest.raises(error, match=text):
        Pairs(rgb, hsi)


def test_wavelengths_and_crops_must_fit():
    """One wavelength per band; a crop no larger than the smallest image."""
    with pytest.raises(ShapeError, match="3 wavelengths do not fit 5"):
        Pairs([torch.rand(3, 4, 4)], [torch.rand(5, 4, 4)], np.array([1.0, 2.0, 3.0]))
    with pytest.raises(ParameterError, match=r"32 x 32 pixels does not fit .* has 24"):
        fit(crop=32)


# Whole images


@pytest.mark.parametrize("size", [(40, 64), (41, 67), (90, 33), (1, 2)])
@pytest.mark.parametrize("tile", [16, 32])
def test_tiles_equal_the_whole(size, tile):
    """A convolution sees one pixel far, and eight are shared: no seam anywhere."""
    model, rgb = Convolution(5), torch.rand(3, *size)
    whole = model.reconstruct(rgb).image
    assert whole.shape == (5, *size)
    assert torch.allclose(model.reconstruct(rgb, tile=tile, overlap=8).image, whole, atol=1e-6)


def test_padding_changes_nothing_inside():
    """An image of odd sides gives what it gives inside a larger one, but at its border."""
    model, rgb = Convolution(5), torch.rand(3, 40, 44)
    part = model.reconstruct(rgb[:, :37, :41]).image
    assert torch.allclose(part[:, :-1, :-1], model.reconstruct(rgb).image[:, :36, :40], atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "how", "error", "text"),
    [
        (torch.rand(4, 8, 8), {}, ShapeError, "perhaps alpha"),
        (torch.rand(1, 8, 8), {}, ShapeError, "grey"),
        (torch.rand(8, 8), {}, ShapeError, "grey"),
        (torch.full((3, 8, 8), torch.nan), {}, PixelError, "64 pixels"),
        (torch.rand(3, 64, 64), {"tile": 30}, ParameterError, "cannot be laid"),
        (torch.rand(3, 64, 64), {"tile": 32, "overlap": 32}, ParameterError, "cannot be laid"),
    ],
)
def test_images_and_tiles_that_cannot_be_are_refused(rgb, how, error, text):
    """Before anything is computed."""
    with pytest.raises(error, match=text):
        Convolution(5).reconstruct(rgb, **{"overlap": 8, **how})


# Training


def test_the_best_is_kept_beside_the_last():
    """The model scores on the validation pair what the best entry of the curve says."""
    fitted = fit(learning_rate=0.3, falls=False)
    scores = fitted.curves["validation_psnr"]
    pair = linear_pairs(1, seed=9)
    found = [band_psnr(m.reconstruct(pair.rgb[0]).image, pair.hsi[0]) for m in (fitted.model, fitted.last)]  # fmt: skip  # noqa: E501
    assert found[0] == pytest.approx(scores.max(), abs=1e-3)
    assert found[1] == pytest.approx(scores[-1], abs=1e-3)
    assert scores.max() > scores[-1]  # at this rate the last is not the best
    assert len(scores) == 6


def test_without_validation_the_last_is_the_best():
    """And there is no curve of it."""
    fitted = fit(validation=None)
    assert "validation" not in fitted.curves
    for one, other in zip(fitted.model.parameters(), fitted.last.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_learns_and_repeats_itself():
    """An error a tenth of the first; the same seed, the same bytes."""
    one, other = fit(iterations=300, learning_rate=1e-2), fit(iterations=300, learning_rate=1e-2)
    assert one.curves["error"][-1] < 0.1 * one.curves["error"][0]
    for mine, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("critic", [None, Judge], ids=["alone", "with a critic"])
def test_a_run_that_was_cut_off_goes_on(tmp_path, critic, monkeypatch):
    """Bit for bit: weights, the best so far, the critic, normalisation, and curves."""
    whole = fit(critic=critic and (lambda model: critic()), norm=True)
    from hsirepro.recovery import training

    real = training.TrainingRun

    def stopping(*args, **kwargs):
        return real(*args, **{**kwargs, "checkpoint_every": 25})

    monkeypatch.setattr(training, "TrainingRun", stopping)
    calls = {"n": 0}
    drawn = Pairs.draw

    def dying(self, *args, **kwargs):
        calls["n"] += 1
        if calls["n"] == 33:
            raise KeyboardInterrupt
        return drawn(self, *args, **kwargs)

    path = tmp_path / "run.ckpt"
    monkeypatch.setattr(Pairs, "draw", dying)
    with pytest.raises(KeyboardInterrupt):
        fit(checkpoint=path, critic=critic and (lambda model: critic()), norm=True)
    monkeypatch.setattr(Pairs, "draw", drawn)
    resumed = fit(checkpoint=path, critic=critic and (lambda model: critic()), norm=True)
    for mine, theirs in ((resumed.model, whole.model), (resumed.last, whole.last)):
        for name, value in mine.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name
    for name, curve in whole.curves.items():
        assert np.array_equal(resumed.curves[name], curve), name


def test_a_critic_learns_at_every_third_step_and_is_heard_at_all():
    """Its loss falls; the model's gradients of its opinion leave it alone."""
    seen = []

    class Watching(Judge):
        def opinions(self, rgb, hsi):
            seen.append(float(self.conv.weight.detach().abs().sum()))
            return super().opinions(rgb, hsi)

    fitted = fit(critic=lambda model: Watching(), iterations=9)
    assert "patch_made" in fitted.curves
    # Steps 0, 3 and 6: real, made, and then the model's; the others: the model's alone.
    assert len(seen) == 3 * 3 + 6
    assert len({round(value, 6) for value in seen}) == 4


# Regression


def test_regression_is_exact_where_spectra_are_quadratic():
    """Ten coefficients per band, found from random colours."""
    truth = Regression(bands=4)
    truth.coefficients.data.copy_(torch.rand(4, 10, generator=torch.Generator().manual_seed(1)))
    rgb = [torch.rand(3, 12, 13, generator=torch.Generator().manual_seed(n)) for n in (2, 3)]
    pairs = Pairs(rgb, [truth.reconstruct(image).image for image in rgb])
    fitted = regression(pairs, validation=pairs)
    assert torch.allclose(fitted.model.coefficients, truth.coefficients, atol=1e-3)
    assert fitted.curves["validation_psnr"][0] > 80


def test_monomials_are_those_of_second_degree():
    """1, r, g, b, rr, rg, rb, gg, gb, bb."""
    found = monomials(torch.tensor([2.0, 3.0, 5.0]).view(1, 3, 1, 1)).flatten().tolist()
    assert found == [1, 2, 3, 5, 4, 6, 10, 9, 15, 25]


def test_regression_survives_colours_that_depend_on_each_other():
    """Grey images have one colour three times."""
    grey = torch.rand(1, 8, 8).expand(3, -1, -1)
    fitted = regression(Pairs([grey], [2 * grey]))
    assert torch.allclose(fitted.model.reconstruct(grey).image, 2 * grey, atol=1e-4)
    with pytest.raises(ParameterError, match="no setting 'width'"):
        regression(Pairs([grey], [grey]), width=3)
