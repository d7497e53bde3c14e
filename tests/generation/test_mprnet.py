"""Laws of MPRNet: its network, the colours that it starts from, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, RecordError, WavelengthError
from hsirepro.generation import Patches
from hsirepro.generation.mprnet import PRESETS, MPRNet, mprnet, relative_error
from hsirepro.generation.mprnet_net import MPRNetwork

NM = np.linspace(460.0, 860.0, 7)


def test_network_has_the_weights_of_the_published_one():
    """3.619 million at 31 bands, 43 of them the slopes of the activations."""
    net = MPRNetwork(31, PRESETS["paper"].width)
    assert sum(weight.numel() for weight in net.parameters()) == 3_619_045
    assert sum(weight.numel() == 1 for weight in net.parameters()) == 43


@pytest.mark.parametrize("sides", [(8, 8), (24, 40)])
def test_three_images_of_the_asked_shape(sides):
    """Odd numbers of tiles and bands, and tiles that are not square; gradients are finite."""
    net = MPRNetwork(7, 3)
    stages = net(torch.rand(3, 3, *sides))
    assert [image.shape for image in stages] == [(3, 7, *sides)] * 3
    sum(image.square().sum() for image in stages).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all()


def test_the_first_image_is_made_of_halves():
    """A change far up leaves the lower half of the first image alone; later stages see it all."""
    torch.manual_seed(0)
    net = MPRNetwork(7, 3)
    one = torch.rand(1, 3, 16, 16)
    other = one.clone()
    other[:, :, :4] += 0.5
    with torch.no_grad():
        pairs = zip(net(one), net(other), strict=True)
        changes = [(a - b).abs().amax(dim=(0, 1, 3)) for a, b in pairs]
    assert changes[0][8:].max() == 0.0
    assert changes[0][:8].min() > 0.0
    assert changes[1].min() > 0.0
    assert changes[2].min() > 0.0


def test_features_of_a_part_are_where_the_part_is():
    """Quarters and halves are encoded apart, and joined as they were cut, at every level."""
    torch.manual_seed(0)
    net = MPRNetwork(7, 3)
    shapes, joined = [], []
    for encoder, decoder in zip(net.encoders, net.decoders, strict=True):
        encoder.register_forward_hook(lambda module, given, found: shapes.append(given[0].shape))
        decoder.register_forward_pre_hook(lambda module, given: joined.append(given[0]))
    one = torch.rand(1, 3, 16, 24)
    other = one.clone()
    other[:, :, :4, :4] += 0.5  # in the upper left quarter
    with torch.no_grad():
        net(one), net(other)
    assert shapes == [(4, 3, 8, 12), (2, 3, 8, 24)] * 2
    for level, (a, b) in enumerate(zip(joined[0], joined[2], strict=True)):
        upper, lower = (a - b).abs().amax(dim=1)
        middle = 12 // 2**level
        assert upper[:, :middle].min() > 0.0
        assert upper[:, middle:].max() == lower.max() == 0.0
    for level, (a, b) in enumerate(zip(joined[1], joined[3], strict=True)):
        change = (a - b).abs().amax(dim=1)[0]
        middle = 8 // 2**level
        assert change[:middle].min() > 0.0
        assert change[middle:].max() == 0.0


def test_relative_error_of_a_dark_pixel_has_a_floor():
    """Reflectance 0 is divided by a hundredth of full scale."""
    found = relative_error(torch.tensor([0.0, 0.4, 0.004]), torch.tensor([0.0, 0.5, 0.002]))
    assert float(found) == pytest.approx((0.0 + 0.2 + 0.2) / 3)


def test_colours_are_the_nearest_bands():
    """Red, green and blue in this order, whatever the order of the bands."""
    nm = np.array([862.0, 648.0, 655.0, 545.0, 560.0, 480.0, 430.0])
    assert Patches([torch.rand(7, 8, 8)], 4, nm).rgb_bands("MPRNet") == [1, 3, 5]


@pytest.mark.parametrize(
    ("nm", "text"),
    [
        (None, "needs the wavelengths of 7 bands to find red, green and blue; none are given."),
        (NM[:5], "needs the wavelengths of 7 bands to find red, green and blue; 5 are given."),
        (NM + 300, "No band lies within 40 nm of 650 nm; the nearest is at 760 nm."),
    ],
)
def test_scene_without_colours_is_refused(nm, text):
    """Which band is red cannot be guessed; the error says what to give."""
    with pytest.raises(WavelengthError) as caught:
        mprnet(Patches([torch.rand(7, 16, 16)], 8, nm), iterations=1)
    assert str(caught.value).startswith((f"MPRNet {text}", text))
    assert "next step" in str(caught.value)


def test_other_wavelengths_are_another_run(tmp_path):
    """The same pixels with other colours are learned anew."""
    state, image = tmp_path / "state.ckpt", torch.rand(7, 9, 9)
    short = {"iterations": 1, "batch": 1, "width": 2, "checkpoint": state}
    mprnet(Patches([image], 8, NM), **short)
    with pytest.raises(RecordError, match="belongs to another run"):
        mprnet(Patches([image], 8, NM[::-1]), **short)


@pytest.mark.parametrize(("size", "nearest"), [(4, 8), (12, 16), (30, 32), (33, 32)])
def test_sizes_that_eight_does_not_divide_are_refused(size, nearest):
    """Before any work, with a size that would do."""
    with pytest.raises(ParameterError, match=rf"{size} x {size} pixels.\n.*such as {nearest}$"):
        mprnet(Patches([torch.rand(7, 40, 40)], size, NM), iterations=1)


def test_tiles_are_the_ground_of_the_scene():
    """With a network that returns its colours, what is drawn is found in the scene's images."""

    class Colours(torch.nn.Module):
        start = torch.nn.Conv2d(3, 3, 1)

        def forward(self, rgb: Tensor) -> list[Tensor]:
            return [rgb - 1.0, rgb - 1.0, rgb]

    images = [torch.rand(7, 20, 18), torch.rand(7, 16, 9)]
    red, green, blue = chosen = Patches([torch.rand(7, 8, 8)], 4, NM).rgb_bands("MPRNet")
    model = mprnet(Patches(images, 8, NM), iterations=1, batch=1, width=2).model
    for kept, image in zip(model.rgb, images, strict=True):
        assert torch.equal(kept, image[[red, green, blue]])
    model.net = Colours()
    for size in (8, 16):
        scene = Patches([im[chosen] for im in images if min(im.shape[1:]) >= size], size)
        windows = {tile.numpy().tobytes() for tile in scene.at(range(scene.positions))}
        model = model if size == 8 else bigger(model, images[:1], chosen)
        tiles = model.sample(21, size=size, seed=3).tiles
        assert tiles.shape == (21, 3, size, size)
        assert all(tile.numpy().tobytes() in windows for tile in tiles)
        assert len({tile.numpy().tobytes() for tile in tiles}) > 1


def bigger(model: MPRNet, images: list[Tensor], chosen: list[int]) -> MPRNet:
    """Return a model of these images alone, with the network of another."""
    made = MPRNet(bands=7, size=8, width=2, images=[im.shape[1:] for im in images])
    made.net = model.net
    made.rgb[0].copy_(images[0][chosen])
    return made


def test_tile_larger_than_the_scene_is_refused():
    """Any size that 8 divides can be drawn, as long as the scene has such tiles."""
    model = MPRNet(bands=7, size=8, width=2, images=[(16, 20)])
    for kept in model.rgb:
        kept.copy_(torch.rand_like(kept))
    assert model.sample(1, size=16).tiles.shape == (1, 7, 16, 16)
    with pytest.raises(ParameterError, match="24 x 24 pixels does not fit the image of 16 x 20"):
        model.sample(1, size=24)
    with pytest.raises(ParameterError, match="such as 8"):
        model.sample(1, size=10)


def test_reflectance_is_not_negative():
    """What the network takes below zero is set to zero."""
    torch.manual_seed(0)
    model = MPRNet(bands=7, size=8, width=2, images=[(16, 20)])
    model.rgb[0].copy_(torch.rand(3, 16, 20))
    raw = model.net(model.rgb[0][None, :, :8, :8])[-1]
    assert raw.min() < 0.0
    assert model.sample(9).tiles.min() == 0.0


def test_spectra_are_learned_from_colours():
    """Fields of two materials: after some steps spectra are far nearer than the mean spectrum."""
    torch.manual_seed(1)
    leaf = torch.tensor([0.05, 0.08, 0.12, 0.06, 0.45, 0.60, 0.62])
    roof = torch.tensor([0.20, 0.22, 0.30, 0.45, 0.50, 0.52, 0.55])
    share = 0.1 + 0.7 * torch.randint(2, (6, 6, 1)) + 0.2 * torch.rand(6, 6, 1)
    fields = (leaf * share + roof * (1.0 - share)) * (0.5 + torch.rand(6, 6, 1))
    image = fields.permute(2, 0, 1).repeat_interleave(6, dim=1).repeat_interleave(6, dim=2)
    patches = Patches([image], 8, NM)
    tiles = patches.draw(50, torch.Generator().manual_seed(0))
    mean = tiles.mean(dim=(0, 2, 3), keepdim=True).expand_as(tiles)
    fast = {"batch": 4, "width": 4, "learning_rate": 0.01, "warm_up": 5}
    errors = []
    for iterations in (1, 40):
        model = mprnet(patches, iterations=iterations, **fast).model
        with torch.no_grad():
            made = model.net(tiles[:, patches.rgb_bands("MPRNet")])[-1]
        errors.append(float(relative_error(made, tiles)))
    assert errors[0] > float(relative_error(mean, tiles))
    assert errors[1] < 0.5 * float(relative_error(mean, tiles))
