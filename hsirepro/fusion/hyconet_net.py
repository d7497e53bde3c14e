"""The coupled autoencoders of HyCoNet and their loss; ``hyconet.py`` says what they are for."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.fusion.hyconet_presets import HyCoNetConfig

WIDTHS = (128, 256, 512)  # hidden channels of both encoders, Fig. 2


class Encoder(nn.Sequential):
    """Spectra to abundances: 1x1 convolutions, that is, linear layers on pixels, eqs. 6 and 8.

    Parameters
    ----------
    bands : int
        Channels of the image.
    endmembers : int
        Channels of the abundances.
    """

    def __init__(self, bands: int, endmembers: int) -> None:
        widths = (bands, *WIDTHS, endmembers)
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise(widths):
            linear = nn.Linear(size_in, size_out)
            nn.init.kaiming_normal_(linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers[:-1])


class HyCoNet(nn.Module):
    """The three coupled autoencoders and their loss, on chunks of pixels.

    Parameters
    ----------
    bands, msi_bands : int
        L and l.
    ratio : int
        Ground sampling distance of Z over that of Y; the PSF has ratio x ratio weights.
    coverage : list of (int, int)
        First and last HSI band (inclusive) under each MSI band: all that the method knows of the
        spectral response.
    config : HyCoNetConfig
    known_srf : Tensor, shape (l, L), optional
        Used when ``config.response`` is ``"known"``.
    """

    def __init__(
        self,
        bands: int,
        msi_bands: int,
        ratio: int,
        coverage: list[tuple[int, int]],
        config: HyCoNetConfig,
        known_srf: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.encode_hsi = Encoder(bands, config.endmembers)
        self.encode_msi = Encoder(msi_bands, config.endmembers)
        self.endmembers = nn.Parameter(torch.empty(bands, config.endmembers))  # E^T
        nn.init.kaiming_normal_(self.endmembers)
        self.psf = nn.Parameter(torch.full((ratio * ratio,), 1.0 / ratio**2))
        mask = torch.zeros(msi_bands, bands)
        for band, (first, last) in enumerate(coverage):
            mask[band, first : last + 1] = 1.0
        # Bands that no MSI band sees do not enter Y^, so they are not decoded for it.
        seen = mask.any(dim=0).nonzero().flatten()
        rows, columns = mask[:, seen].nonzero(as_tuple=True)
        for name, value in {"seen": seen, "rows": rows, "columns": columns}.items():
            self.register_buffer(name, value, persistent=False)
        start = mask / mask.sum(dim=1, keepdim=True) if known_srf is None else known_srf * mask
        weights = start[:, seen][rows, columns]
        self.srf = nn.Parameter(weights, requires_grad=config.response == "learned")

    def response(self) -> Tensor:
        """Return the spectral response on the covered bands, shape (l, S), rows of sum 1 (12)."""
        seen, rows, columns = (
            self.get_buffer("seen"),
            self.get_buffer("rows"),
            self.get_buffer("columns"),
        )
        shape = (int(rows.max()) + 1, len(seen))
        weights = torch.zeros(shape, device=self.srf.device).index_put((rows, columns), self.srf)
        total = weights.sum(dim=1, keepdim=True)
        # The released code does not let the gradient through the sum it divides by.
        total = total.detach() if self.config.normalise_srf else total
        return weights / total.clamp_min(1e-8)

    def abundances(self, encoder: Encoder, pixels: Tensor) -> Tensor:
        """Return abundances, shape (N, p), of pixels, shape (N, bands); eqs. 5, 6, 8."""
        raw = encoder(pixels)
        if self.config.abundance == "clamp":
            return F.hardtanh(raw, 0.0, 1.0)
        positive = F.relu(raw)
        return positive if self.config.abundance == "relu" else positive.softmax(dim=1)

    def blur(self, blocks: Tensor) -> Tensor:
        """Return PSF(blocks), shape (n, C), of blocks, shape (n, ratio * ratio, C); eq. 13."""
        return torch.bmm(self.psf.expand(len(blocks), 1, -1), blocks).squeeze(1)

    def decode(self, abundances: Tensor, endmembers: Tensor) -> Tensor:
        """Return spectra A E, clamped as configured; eqs. 7, 10, 14."""
        spectra = F.linear(abundances, endmembers)
        return F.hardtanh(spectra, 0.0, 1.0) if self.config.clamp_images else F.relu(spectra)

    def forward(self, hsi: Tensor, msi: Tensor) -> dict[str, Tensor]:
        """Return the terms of the loss (19), summed over a chunk.

        Parameters
        ----------
        hsi : Tensor, shape (n, L)
            Hyperspectral pixels.
        msi : Tensor, shape (n, ratio * ratio, l)
            The multispectral pixels inside each of them.

        Returns
        -------
        dict of scalar Tensor
            ``z_a``, ``z_b``, ``y``, ``lr_msi``, ``sum_to_one``, ``sparsity``, each weighted.
        """
        c, seen = self.config, self.get_buffer("seen")
        low_a = self.abundances(self.encode_hsi, hsi)
        high = self.abundances(self.encode_msi, msi.flatten(0, 1))
        z_a = self.decode(low_a, self.endmembers)
        x_seen = self.decode(high, self.endmembers[seen])
        # Residuals are near rounding error of bf16: from here on in full precision.
        with torch.autocast(hsi.device.type, enabled=False):
            low_a, high, response = low_a.float(), high.float(), self.response()
            low_b = self.blur(high.reshape(*msi.shape[:2], -1))
            z_b = self.decode(low_b, self.endmembers)
            y = F.linear(x_seen.float(), response)
            y = y if c.clamp_images else y.clamp(0.0, 1.0)
            terms = {
                "z_a": c.weight_za * _l1(z_a.float(), hsi),
                "z_b": c.alpha * _l1(z_b, hsi),
                "y": c.beta * _l1(y, msi.flatten(0, 1)),
                "lr_msi": c.gamma * _l1(F.linear(hsi[:, seen], response), self.blur(msi)),
            }
            summed = (high, low_a, low_b) if c.sum_to_one_b else (high, low_a)
            terms["sum_to_one"] = (
                c.mu * torch.stack([(1 - a.sum(1)).abs().sum() for a in summed]).sum()
            )
            terms["sparsity"] = c.nu * (self.sparsity(high) + self.sparsity(low_a))
        return terms

    def sparsity(self, abundances: Tensor) -> Tensor:
        """Return the Kullback-Leibler divergence of eq. 18, summed; shape (N, p) to ()."""
        if self.config.sparsity == "bernoulli":
            return _BernoulliDivergence.apply(abundances, self.config.rho)  # type: ignore[no-any-return,no-untyped-call]
        # As released: the constant, too, goes through the softmax and becomes 1 / p.
        rho = 1.0 / abundances.shape[1]
        return _BernoulliDivergence.apply(abundances.softmax(dim=1), rho)  # type: ignore[no-any-return,no-untyped-call]

    @torch.no_grad()
    def project(self) -> None:
        """Put the weights back where eq. 5 wants them, after a step of the optimiser."""
        self.endmembers.clamp_(0.0, 1.0)
        self.psf.clamp_(0.0, 1.0)
        if self.config.response == "learned":
            self.srf.clamp_(0.0, 10.0 if self.config.normalise_srf else 1.0)
            if self.config.normalise_srf:
                seen = self.response()
                self.srf.copy_(seen[self.get_buffer("rows"), self.get_buffer("columns")])

    @torch.no_grad()
    def fuse(self, msi: Tensor) -> Tensor:
        """Return the fused spectra X, shape (N, L), of pixels of Y, shape (N, l); eqs. 8, 10."""
        return self.decode(self.abundances(self.encode_msi, msi), self.endmembers)


class _BernoulliDivergence(torch.autograd.Function):
    """Sum of KL(rho || q) with its derivative in closed form: half the passes over memory."""

    EPS = 1e-6  # clamped abundances reach 0 and 1 exactly, where eq. 18 is infinite

    @staticmethod
    def forward(ctx, q: Tensor, rho: float) -> Tensor:  # type: ignore[no-untyped-def]
        eps = _BernoulliDivergence.EPS
        ctx.save_for_backward(q)
        ctx.rho = rho
        inside = q.clamp(eps, 1 - eps)
        value = -rho * inside.log().sum() - (1 - rho) * torch.log1p(-inside).sum()
        constant = rho * torch.tensor(rho).log() + (1 - rho) * torch.tensor(1 - rho).log()
        return value + float(constant) * q.numel()

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        eps = _BernoulliDivergence.EPS
        (q,) = ctx.saved_tensors
        inside = q.clamp(eps, 1 - eps)
        # (1 - rho) / (1 - q) - rho / q over one denominator
        slope = (inside - ctx.rho).div_((1 - inside).mul_(inside))
        return slope.mul_(gradient), None


def _l1(estimate: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(estimate, target, reduction="sum")
