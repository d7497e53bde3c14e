"""The network of HyCoNet: sizes, constraints, chunks, precision, and what it refuses."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from hsirepro.fusion.blocks import from_blocks, to_blocks
from hsirepro.fusion.hyconet import accumulate, hyconet
from hsirepro.fusion.hyconet_net import HyCoNet, _BernoulliDivergence
from hsirepro.fusion.hyconet_presets import PRESETS, configure
from hsirepro.optics import PointSpread, SpectralResponse, gaussian_kernel, landsat8_oli
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.simulate import simulate

BANDS, RATIO = 20, 3
COVERAGE = [(1, 6), (4, 9), (14, 14)]


def count(parameters) -> int:
    return sum(p.numel() for p in parameters)


def network(preset: str = "paper", **settings) -> HyCoNet:
    torch.manual_seed(0)
    known = torch.zeros(3, BANDS)
    for row, (first, last) in enumerate(COVERAGE):
        known[row, first : last + 1] = torch.rand(last + 1 - first)
    known /= known.sum(dim=1, keepdim=True)
    config = configure(preset, **{"endmembers": 10, **settings})
    return HyCoNet(BANDS, 3, RATIO, COVERAGE, config, known if config.response == "known" else None)


def chunk(pixels: int = 35) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    low = torch.rand(pixels, BANDS, generator=rng)
    return low, torch.rand(pixels, RATIO**2, 3, generator=rng)


def gradients(net: HyCoNet, low, high, **kwargs) -> dict[str, torch.Tensor]:
    net.zero_grad()
    accumulate(net, low, high, **kwargs)
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def test_parameter_count_is_that_of_the_release():
    """At 103 bands, p = 100 and ratio 4 the network has 455,956 weights besides the response."""
    net = HyCoNet(103, 3, 4, [(4, 23), (20, 43), (47, 61)], configure("paper"))
    parts = {
        "encode_hsi": count(net.encode_hsi.parameters()),
        "encode_msi": count(net.encode_msi.parameters()),
        "endmembers": net.endmembers.numel(),
        "psf": net.psf.numel(),
        "srf": net.srf.numel(),
    }
    assert parts == {
        "encode_hsi": 229_220,
        "encode_msi": 216_420,
        "endmembers": 10_300,
        "psf": 16,
        "srf": 20 + 24 + 15,  # one weight per covered band
    }
    assert count(net.parameters()) - net.srf.numel() == 455_956


def test_training_starts_where_the_release_starts():
    """PSF and SRF start flat, biases at zero, weights with the variance of Kaiming's rule."""
    net = HyCoNet(103, 3, 4, [(4, 23), (20, 43), (47, 61)], configure("paper"))
    assert net.psf.unique().tolist() == [1 / 16]
    torch.testing.assert_close(net.response().sum(1), torch.ones(3))
    assert net.srf.unique().numel() == 3  # 1/20, 1/24, 1/15
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    assert all(not layer.bias.any() for layer in layers)
    for layer in layers:
        expected = (2 / layer.in_features) ** 0.5
        assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.1)


@pytest.fixture(scope="module")
def planted() -> tuple[torch.Tensor, torch.Tensor, SpectralResponse]:
    """Pixels of a planted pair of 11 x 11 and 44 x 44 pixels at ratio 4, and its response."""
    nm = np.linspace(430.0, 860.0, 60)
    truth = to_tensor(simulate(size=44, seed=0, wavelengths=nm).cube)
    truth /= truth.max()
    srf = landsat8_oli(nm)
    low = PointSpread(gaussian_kernel(4, 0.5), 4)(truth)
    return low.flatten(1).T.contiguous(), to_blocks(srf(truth), 4), srf


def full_size(preset: str, srf: SpectralResponse, **settings) -> HyCoNet:
    torch.manual_seed(0)
    config = configure(preset, **settings)
    known = srf.matrix if config.response == "known" else None
    net = HyCoNet(60, 3, 4, srf.coverage, config, known)
    net.project()
    return net


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("chunk_pixels", [16, 7 * 16, 50 * 16])
def test_chunks_do_not_change_the_gradient(planted, preset, chunk_pixels):
    """Summing over chunks, whether or not they divide the image, is the gradient of the image."""
    low, high, srf = planted
    assert len(low) % 7
    assert len(low) % 50
    whole = gradients(full_size(preset, srf, chunk_pixels=0), low, high)
    parts = gradients(full_size(preset, srf, chunk_pixels=chunk_pixels), low, high)
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        worst = (parts[name] - gradient).abs().max() / gradient.abs().max()
        assert worst < 1e-5, name


def test_chunks_do_not_change_the_loss():
    """The loss terms are sums over pixels, so chunks add up to the image."""
    low, high = chunk()
    whole = accumulate(network(chunk_pixels=0), low, high)
    parts = accumulate(network(chunk_pixels=7 * RATIO**2), low, high)
    assert list(whole) == ["z_a", "z_b", "y", "lr_msi", "sum_to_one", "sparsity"]
    for name, term in whole.items():
        torch.testing.assert_close(parts[name], term, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
def test_bf16_points_the_same_way(planted, preset):
    """Matrix products in bfloat16 change the gradient's length and direction by a little."""
    low, high, srf = planted
    net = full_size(preset, srf)
    exact = gradients(net, low, high)
    autocast = partial(torch.autocast, "cpu", torch.bfloat16)
    rounded = gradients(net, low, high, autocast=autocast)
    for name, gradient in exact.items():
        cosine = torch.nn.functional.cosine_similarity(
            gradient.flatten(), rounded[name].flatten(), dim=0
        )
        assert cosine > 0.999, name


def test_blocks_are_the_pixels_under_one_hyperspectral_pixel():
    """Reordering to blocks and back is exact, rows and columns of odd images included."""
    image = torch.arange(2 * 15 * 21.0).reshape(2, 15, 21)
    blocks = to_blocks(image, 3)
    assert blocks.shape == (5 * 7, 9, 2)
    torch.testing.assert_close(blocks[8].T.reshape(2, 3, 3), image[:, 3:6, 3:6])
    assert torch.equal(from_blocks(blocks, 5, 7, 3), image)


def test_blur_of_blocks_is_a_convolution_with_stride():
    """The learned point spread acts on blocks as the optics act on the image."""
    net = network()
    with torch.no_grad():
        net.psf.copy_(torch.rand(9))
    image = torch.rand(4, 15, 21)
    spread = PointSpread(net.psf.detach().reshape(3, 3), 3)
    expected = spread(image).flatten(1).T
    torch.testing.assert_close(net.blur(to_blocks(image, 3)), expected)


@pytest.mark.parametrize("preset", PRESETS)
def test_steps_are_projected_back(preset):
    """After projection endmembers and PSF lie in [0, 1], and responses are not negative."""
    net = network(preset)
    before = net.srf.detach().clone()
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weights in (net.endmembers, net.psf, net.srf):
            weights.copy_(1 + 3 * torch.randn(weights.shape, generator=rng))
        net.srf[-1] = 0.5  # the only weight of its band
    far = net.srf.detach().clone()
    net.project()
    for weights in (net.endmembers, net.psf):
        assert 0 <= weights.min() < weights.max() <= 1
    if preset == "release-2022":
        assert torch.equal(net.srf, far), "a known response is not touched"
        assert not torch.equal(far, before)
        assert not net.srf.requires_grad
        return
    assert net.srf.min() >= 0
    torch.testing.assert_close(net.response().sum(dim=1), torch.ones(3))
    if preset == "release-2021":
        torch.testing.assert_close(net.response().sum(), net.srf.sum())


@pytest.mark.parametrize("preset", PRESETS)
def test_response_is_a_weighted_mean_over_the_coverage(preset):
    """Rows of the learned response sum to one and are zero where the MSI band sees nothing."""
    net = network(preset)
    if net.srf.requires_grad:
        with torch.no_grad():
            net.srf.copy_(torch.rand(net.srf.shape))
    response = torch.zeros(3, BANDS)
    response[:, net.get_buffer("seen")] = net.response().detach()
    torch.testing.assert_close(response.sum(dim=1), torch.ones(3))
    for row, (first, last) in zip(response, COVERAGE, strict=True):
        outside = torch.ones(BANDS, dtype=torch.bool)
        outside[first : last + 1] = False
        assert not row[outside].any()
        assert (row[~outside] > 0).all()


def test_divergence_is_that_of_two_coins():
    """Eq. 18 is the divergence between Bernoulli variables, summed over the abundances."""
    q = torch.rand(50, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = q.clamp(1e-3, 1 - 1e-3).requires_grad_()
    for rho in (1e-4, 0.01, 0.5):
        coins = (torch.distributions.Bernoulli(p) for p in (torch.full_like(q, rho), q))
        expected = torch.distributions.kl_divergence(*coins).sum()
        value = _BernoulliDivergence.apply(q, rho)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        (slope,) = torch.autograd.grad(2.5 * value, q)
        (wanted,) = torch.autograd.grad(2.5 * expected, q)
        torch.testing.assert_close(slope, wanted, rtol=1e-6, atol=1e-6)


def test_divergence_is_finite_where_the_clamp_puts_abundances():
    """Abundances of exactly 0 and 1, where eq. 18 is infinite, have a value and a slope."""
    q = torch.tensor([[0.0, 1.0]], requires_grad=True)
    value = _BernoulliDivergence.apply(q, 1e-4)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(q.grad).all()
    assert q.grad[0, 0] < 0 < q.grad[0, 1]


def test_released_sparsity_rewards_the_uniform_pixel():
    """Behind a softmax the term is 0.0072 for a pure pixel of 100 endmembers, 0 for a flat one."""
    net = HyCoNet(BANDS, 3, RATIO, COVERAGE, configure("release-2021"))
    pure = torch.eye(100)[:1]
    assert float(net.sparsity(pure)) == pytest.approx(0.0072, abs=5e-5)
    assert float(net.sparsity(torch.full((1, 100), 0.4))) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("preset", "low", "high", "total"),
    [("paper", 0, 1, None), ("release-2021", 0, None, None), ("release-2022", 0, 1, 1)],
)
def test_abundances_keep_the_constraint_of_their_preset(preset, low, high, total):
    """Clamped, only not negative, or on the simplex: as paper and releases have it."""
    net = network(preset)
    a = net.abundances(net.encode_hsi, 20 * chunk()[0])
    assert a.min() >= low
    if high is None:
        assert a.max() > 1
    else:
        assert a.max() <= high
    if total:
        torch.testing.assert_close(a.sum(dim=1), torch.ones(len(a)))


def test_outcome_tells_what_was_learned():
    """Kernels, responses and endmembers come back in the shapes of optics, with the settings."""
    nm = np.linspace(430.0, 860.0, 18)
    truth = to_tensor(simulate(size=(12, 18), wavelengths=nm).cube)
    srf = landsat8_oli(nm)
    psf = PointSpread(torch.full((3, 3), 1 / 9), 3)
    outcome = hyconet(
        psf(truth), srf(truth), ratio=3, srf=srf, iterations=45, endmembers=8, weight_za=2.0
    )
    shapes = {name: tuple(value.shape) for name, value in outcome.learned.items()}
    assert shapes == {
        "psf": (3, 3),
        "srf": (3, 18),
        "endmembers": (18, 8),
        "abundance_sum_error": (),
        "abundance_share_below_0.01": (),
        "abundance_histogram": (3, 50),
        "map:sum_error_a": (12, 18),
        "map:sum_error_a_h_a": (4, 6),
        "map:sum_error_a_h_b": (4, 6),
    }
    torch.testing.assert_close(outcome.learned["abundance_histogram"].sum(dim=1), torch.ones(3))
    median = outcome.learned["map:sum_error_a"].flatten().median()
    torch.testing.assert_close(median, outcome.learned["abundance_sum_error"])
    learned = SpectralResponse(outcome.learned["srf"], srf.names, nm)
    for mine, given in zip(learned.coverage, srf.coverage, strict=True):
        assert given[0] <= mine[0] <= mine[1] <= given[1]
    assert 0 <= outcome.learned["abundance_share_below_0.01"] <= 1
    assert outcome.curves["iteration"].tolist() == [20, 40, 45]
    terms = [v for k, v in outcome.curves.items() if k not in ("iteration", "loss")]
    np.testing.assert_allclose(np.sum(terms, axis=0), outcome.curves["loss"], rtol=1e-6)
    assert outcome.settings["weight_za"] == 2.0
    assert outcome.settings["preset"] == "paper"


def test_watching_changes_nothing():
    """Scores of the image on the way join the curves, and no bit of the answer depends on them."""
    nm = np.linspace(430.0, 860.0, 18)
    truth = to_tensor(simulate(size=(12, 18), wavelengths=nm).cube)
    srf, psf = landsat8_oli(nm), PointSpread(torch.full((3, 3), 1 / 9), 3)
    images = []

    def watch(image: torch.Tensor) -> dict[str, float]:
        images.append(image)
        return {"error": float((image - truth).abs().mean())}

    pair = {"ratio": 3, "srf": srf, "iterations": 45, "endmembers": 8}
    watched = hyconet(psf(truth), srf(truth), watch=watch, **pair)
    assert torch.equal(watched.image, hyconet(psf(truth), srf(truth), **pair).image)
    assert len(images) == len(watched.curves["error"]) == 3
    assert torch.equal(images[-1], watched.image)


def test_known_response_is_kept():
    """The release of 2022 is given the response, and gives it back as it was."""
    nm = np.linspace(430.0, 860.0, 18)
    truth = to_tensor(simulate(size=(12, 12), wavelengths=nm).cube)
    srf = landsat8_oli(nm)
    psf = PointSpread(torch.full((3, 3), 1 / 9), 3)
    outcome = hyconet(psf(truth), srf(truth), ratio=3, srf=srf, preset="release-2022", iterations=5)
    torch.testing.assert_close(outcome.learned["srf"], srf.matrix)


def test_weights_start_with_kaimings_variance():
    """Weights and endmembers start with the variance 2 / fan-in."""
    from hsirepro.fusion.hyconet_net import HyCoNet
    from hsirepro.fusion.hyconet_presets import configure

    torch.manual_seed(0)
    net = HyCoNet(400, 3, 4, [(4, 23), (20, 43), (47, 61)], configure("paper"))
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    for weights, fan_in in [*((m.weight, m.in_features) for m in layers), (net.endmembers, 100)]:
        if weights.numel() > 30_000:  # the spread of so many is known to half a per cent
            assert float(weights.detach().std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.01)


def test_autocast_reaches_the_products():
    """With bf16 the terms differ a little: not at all would be fp32 under another name."""
    from functools import partial

    from hsirepro.fusion.hyconet import accumulate
    from hsirepro.fusion.hyconet_net import HyCoNet
    from hsirepro.fusion.hyconet_presets import configure

    torch.manual_seed(0)
    net = HyCoNet(20, 3, 3, [(1, 6), (4, 9), (14, 14)], configure("paper", endmembers=10))
    low, high = torch.rand(35, 20), torch.rand(35, 9, 3)
    exact = accumulate(net, low, high)
    rounded = accumulate(net, low, high, autocast=partial(torch.autocast, "cpu", torch.bfloat16))
    assert not torch.equal(exact["z_a"], rounded["z_a"])
    torch.testing.assert_close(exact["z_a"], rounded["z_a"], rtol=2e-2, atol=0)


def test_findings_are_of_the_abundances_they_name():
    """Shares, histograms and maps are those of A, A_h^a and A_h^b, in this order."""
    from hsirepro.fusion.hyconet_findings import findings
    from hsirepro.fusion.hyconet_net import HyCoNet
    from hsirepro.fusion.hyconet_presets import configure

    torch.manual_seed(0)
    net = HyCoNet(20, 3, 3, [(1, 6), (4, 9), (14, 14)], configure("paper", endmembers=10))
    low, high = torch.rand(35, 20), torch.rand(35, 9, 3)
    found = findings(net, low, high, (5, 7))
    with torch.no_grad():
        a = net.abundances(net.encode_msi, high.flatten(0, 1))
        a_h_a = net.abundances(net.encode_hsi, low)
        a_h_b = net.blur(a.reshape(35, 9, -1))
    assert (a < 0.01).sum() < (a < 0.1).sum() < a.numel()
    share = float((a < 0.01).float().mean())
    assert float(found["abundance_share_below_0.01"]) == pytest.approx(share, abs=1e-6)
    for row, values in zip(found["abundance_histogram"], (a, a_h_a, a_h_b), strict=True):
        torch.testing.assert_close(
            row, torch.histc(values, 50, 0, 1) / values.numel(), atol=2e-3, rtol=0
        )
    for name, values in (("a_h_a", a_h_a), ("a_h_b", a_h_b)):
        off = (values.sum(dim=1) - 1).abs().reshape(5, 7)
        torch.testing.assert_close(found[f"map:sum_error_{name}"], off)
