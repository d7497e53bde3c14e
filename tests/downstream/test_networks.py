"""The networks are those of the sources: every number is counted."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hsirepro.downstream import MODELS
from hsirepro.downstream.lee import ResponseNorm

# (bands, outputs): Salinas, Pavia University and Indian Pines, label 0 counted.
COUNTS = {
    "hamida": {(204, 17): 46_107, (103, 10): 35_530, (200, 17): 46_107},
    "lee": {(204, 17): 395_537, (103, 10): 265_354, (200, 17): 390_417},
    "he": {(204, 17): 289_249, (103, 10): 89_306, (200, 17): 284_897},
    "cnn2d": {(204, 17): 673_297},
}


def test_every_network_is_counted():
    """A new method brings its counts."""
    assert COUNTS.keys() == MODELS.keys()


@pytest.mark.parametrize(
    ("name", "sizes", "count"),
    [(name, sizes, count) for name, known in COUNTS.items() for sizes, count in known.items()],
)
def test_parameter_counts(name, sizes, count):
    """As many numbers as the networks of the toolbox have."""
    bands, outputs = sizes
    net = MODELS[name].network(bands, 0, outputs)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("channels", [17, 18, 19, 20, 21, 22, 23, 24, 50])
def test_any_number_of_channels(name, channels):
    """Strides divide no scene evenly: every depth from the fewest on leads to K + 1 outputs."""
    model = MODELS[name](bands=channels - 1, classes=(1, 2, 3), endmembers=1).eval()
    patches = torch.rand(2, channels, model.patch, model.patch)
    assert model.logits(patches).shape == (2, 4)
    whole = (2, 4, model.patch, model.patch) if model.dense else (2, 4)
    assert model.net(patches).shape == whole


@pytest.mark.parametrize("name", MODELS)
def test_the_fewest_channels_are_the_fewest(name):
    """What a method says that it needs is what its layers need."""
    least, patch = MODELS[name].fewest, MODELS[name].patch
    net = MODELS[name].network(least, 0, 3)
    assert net(torch.rand(2, least, patch, patch)).shape[:2] == (2, 3)
    if least > 1:
        with pytest.raises(RuntimeError):
            MODELS[name].network(least - 1, 0, 3)


def seen(name: str, bands: int, endmembers: int) -> list[bool]:
    """Return which channels the outputs of a pixel hang on."""
    torch.manual_seed(0)
    model = MODELS[name](bands=bands, classes=(1, 2), endmembers=endmembers).eval()
    patches = torch.rand(3, bands + endmembers, model.patch, model.patch, requires_grad=True)
    model.logits(patches).square().sum().backward()
    slope: list[bool] = (patches.grad.abs().sum(dim=(0, 2, 3)) > 0).tolist()
    return slope


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("endmembers", [1, 2, 3, 4])
def test_every_abundance_map_is_seen(name, endmembers):
    """However strides fall, none of the last channels is left out."""
    assert all(seen(name, 20, endmembers))


def test_bands_that_the_multi_scale_network_passes_over():
    """As in the original, steps of three do not reach the last of 204 bands or two of 103."""
    for bands, lost in ((204, 1), (103, 2), (200, 0)):
        assert seen("he", bands, 0) == [True] * (bands - lost) + [False] * lost


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].dense])
def test_the_middle_of_a_dense_answer(name):
    """A pixel's outputs are those that the network gives to the middle of its patch."""
    torch.manual_seed(0)
    model = MODELS[name](bands=20, classes=(1, 2)).eval()
    patches = torch.rand(3, 20, model.patch, model.patch)
    middle = model.patch // 2
    torch.testing.assert_close(model.logits(patches), model.net(patches)[:, :, middle, middle])


@pytest.mark.parametrize("name", MODELS)
def test_how_far_a_pixel_sees(name):
    """The whole patch matters; to a dense network, which shares patches, the eight neighbours."""
    torch.manual_seed(0)
    model = MODELS[name](bands=20, classes=(1, 2)).eval()
    patches = torch.rand(1, 20, model.patch, model.patch, requires_grad=True)
    model.logits(patches).square().sum().backward()
    slope = patches.grad.abs().sum(dim=1)[0] > 0
    expected = torch.zeros_like(slope)
    around = 1 if model.dense else model.patch // 2
    middle = model.patch // 2
    near = slice(middle - around, middle + around + 1)
    expected[near, near] = True
    assert torch.equal(slope, expected)


@pytest.mark.parametrize("width", [2, 6, 256])
def test_response_norm_is_that_of_torch(width):
    """The same numbers as torch's slow one, where it matters: for responses of 10 to 1000."""
    for scale in (1.0, 10.0, 1000.0):
        y = scale * torch.randn(2, width, 3, 4, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(ResponseNorm(width)(y), F.local_response_norm(y, width))
