"""HyCoNet's loss against the paper's equations on whole images, with convolutions.

The package works on chunks of pixels with matrix products; here the same weights go through 1 x 1
and strided convolutions on images (B, C, H, W), and autograd differentiates everything.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.fusion.blocks import to_blocks
from hsirepro.fusion.hyconet import accumulate
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.fusion.hyconet_presets import PRESETS, configure

BANDS, MSI, RATIO, P = 23, 3, 4, 11
COVERAGE = [(2, 9), (7, 13), (16, 19)]
EPS = 1e-6


class ByTheBook(nn.Module):
    """Encoders, decoder, PSF and SRF as convolutions, eqs. 5-15; the loss, eqs. 16-19."""

    def __init__(self, preset: str, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.preset = preset
        self.encode_hsi, self.encode_msi = self.encoder(BANDS), self.encoder(MSI)
        for name, encoder in (("encode_hsi", self.encode_hsi), ("encode_msi", self.encode_msi)):
            state = {k.removeprefix(f"{name}."): v for k, v in weights.items() if name in k}
            encoder.load_state_dict(
                {k: v[:, :, None, None] if v.ndim == 2 else v for k, v in state.items()}
            )
        self.decoder = nn.Conv2d(P, BANDS, 1, bias=False)
        self.decoder.weight = nn.Parameter(weights["endmembers"].clone()[:, :, None, None])
        self.psf = nn.Parameter(weights["psf"].clone().reshape(1, 1, RATIO, RATIO))
        lengths = [last - first + 1 for first, last in COVERAGE]
        self.srf = nn.ParameterList(
            nn.Parameter(part.clone()[None, :, None, None])
            for part in weights["srf"].split(lengths)
        )

    @staticmethod
    def encoder(bands: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise((bands, 128, 256, 512, P)):
            layers += [nn.Conv2d(size_in, size_out, 1), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers[:-1])

    def abundances(self, raw: Tensor) -> Tensor:
        if self.preset == "paper":
            return raw.clamp(0, 1)
        return raw.relu() if self.preset == "release-2021" else raw.relu().softmax(dim=1)

    def image(self, spectra: Tensor) -> Tensor:
        return spectra.clamp(0, 1) if self.preset == "paper" else spectra.relu()

    def spread(self, x: Tensor) -> Tensor:
        kernel = self.psf.expand(x.shape[1], 1, RATIO, RATIO)
        return F.conv2d(x, kernel, stride=RATIO, groups=x.shape[1])

    def respond(self, x: Tensor) -> Tensor:
        bands = []
        for weight, (first, last) in zip(self.srf, COVERAGE, strict=True):
            total = weight.sum()
            total = total.detach() if self.preset == "release-2021" else total
            bands.append(F.conv2d(x[:, first : last + 1], weight) / total)
        seen = torch.cat(bands, dim=1)
        return seen if self.preset == "paper" else seen.clamp(0, 1)

    def divergence(self, a: Tensor) -> Tensor:
        rho = torch.full_like(a, 1e-4 if self.preset == "paper" else 0.01)
        if self.preset != "paper":
            rho, a = rho.softmax(dim=1), a.softmax(dim=1)
        a = a.clamp(EPS, 1 - EPS)
        return (rho * (rho / a).log() + (1 - rho) * ((1 - rho) / (1 - a)).log()).sum()

    def forward(self, Z: Tensor, Y: Tensor) -> dict[str, Tensor]:
        paper = self.preset == "paper"
        A_h_a = self.abundances(self.encode_hsi(Z))
        A = self.abundances(self.encode_msi(Y))
        A_h_b = self.spread(A)
        X = self.image(self.decoder(A))
        summed = (A, A_h_a, A_h_b) if paper else (A, A_h_a)
        small = 1e-3 if paper else 1e-2
        return {
            "z_a": (1 if paper else 10) * (Z - self.image(self.decoder(A_h_a))).abs().sum(),
            "z_b": 10 * (Z - self.image(self.decoder(A_h_b))).abs().sum(),
            "y": 10 * (Y - self.respond(X)).abs().sum(),
            "lr_msi": 100 * (self.spread(Y) - self.respond(Z)).abs().sum(),
            "sum_to_one": small * sum((1 - a.sum(dim=1)).abs().sum() for a in summed),
            "sparsity": small * (self.divergence(A) + self.divergence(A_h_a)),
        }


def networks(preset: str) -> tuple[HyCoNet, ByTheBook]:
    """Return both forms with the same weights, somewhere inside the feasible set."""
    torch.manual_seed(5)
    known = torch.zeros(MSI, BANDS)
    for row, (first, last) in enumerate(COVERAGE):
        known[row, first : last + 1] = torch.rand(last + 1 - first) + 0.1
    known /= known.sum(dim=1, keepdim=True)
    config = configure(preset, endmembers=P, chunk_pixels=5 * RATIO**2)
    net = HyCoNet(
        BANDS, MSI, RATIO, COVERAGE, config, known if config.response == "known" else None
    )
    with torch.no_grad():
        net.psf.copy_(torch.rand(RATIO**2) / 8)
        if net.srf.requires_grad:
            net.srf.copy_(torch.rand(net.srf.shape) + 0.1)
        for encoder in (net.encode_hsi, net.encode_msi):  # keep the clamps partly open
            encoder[-1].weight.mul_(0.3)
            encoder[-1].bias.fill_(0.2)
        net.endmembers.mul_(0.5)
    net.project()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    return net, ByTheBook(preset, weights)


@pytest.mark.parametrize("preset", PRESETS)
def test_loss_is_that_of_the_equations(preset):
    """Every term of the loss, and the gradient of every weight, on an image of 6 x 7 pixels."""
    net, book = networks(preset)
    Z, Y = torch.rand(1, BANDS, 6, 7), torch.rand(1, MSI, 6 * RATIO, 7 * RATIO)
    expected = book(Z, Y)
    sum(expected.values()).backward()
    found = accumulate(net, Z[0].flatten(1).T.contiguous(), to_blocks(Y[0], RATIO))
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        assert term > 0, f"{name} decides nothing here"
        torch.testing.assert_close(found[name], term.detach(), rtol=1e-5, atol=1e-5)
    slopes = {
        "endmembers": book.decoder.weight.grad,
        "psf": book.psf.grad,
        **{name: p.grad for name, p in book.named_parameters() if name.startswith("encode")},
    }
    if preset != "release-2022":
        slopes["srf"] = torch.cat([weight.grad.flatten() for weight in book.srf])
    for name, p in net.named_parameters():
        if name == "srf" and preset == "release-2022":
            assert p.grad is None, "a known response is not learned"
            continue
        slope = slopes[name].reshape(p.shape)
        assert slope.abs().max() > 0, f"{name} is not reached"
        assert (p.grad - slope).abs().max() < 1e-4 * slope.abs().max(), name


@pytest.mark.parametrize("preset", PRESETS)
def test_fused_image_is_that_of_the_equations(preset):
    """X is the decoded abundances of Y, pixel by pixel."""
    net, book = networks(preset)
    Y = torch.rand(1, MSI, 8, 12)
    expected = book.image(book.decoder(book.abundances(book.encode_msi(Y))))[0]
    fused = net.fuse(Y[0].flatten(1).T).T.reshape(BANDS, 8, 12)
    torch.testing.assert_close(fused, expected.detach(), rtol=1e-5, atol=1e-6)
