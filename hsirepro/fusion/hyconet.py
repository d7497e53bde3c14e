"""HyCoNet: coupled autoencoders that learn the point spread and spectral response themselves.

The hyperspectral image Z and the multispectral image Y are unmixed by two encoders that share one
set of endmembers E, and are tied together by a learned point spread PSF and a learned spectral
response SRF [1]_::

    A_h^a = f_en(Z)       Z_a = A_h^a E                 (6), (7)
    A     = h_en(Y)       X   = A E       Y^ = SRF(X)   (8)-(12)
    A_h^b = PSF(A)        Z_b = A_h^b E                 (13), (14)
                          SRF(Z) = PSF(Y)               (15)

X is the answer. All terms of the loss (16)-(19) are sums over pixels, and the stride of the PSF
equals its size, so one hyperspectral pixel with its ratio x ratio multispectral pixels is a closed
unit: gradients are summed over chunks of such units that fit the cache, which changes nothing but
the speed and the memory.

Paper and released code disagree in a dozen places: ``hyconet_presets.py`` holds both.

References
----------
.. [1] K. Zheng, L. Gao, W. Liao, D. Hong, B. Zhang, X. Cui, J. Chanussot, "Coupled convolutional
   neural network with adaptive response function learning for unsupervised hyperspectral
   super-resolution", IEEE Trans. Geosci. Remote Sens. 59(3), 2021.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import WavelengthError
from hsirepro.fusion.blocks import assemble, to_blocks
from hsirepro.fusion.hyconet_findings import findings
from hsirepro.fusion.hyconet_presets import HyCoNetConfig, configure
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.training import TrainingRun, launch, own_randomness, train

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


def accumulate(
    net: HyCoNet,
    low: Tensor,
    high: Tensor,
    *,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    backward: Callable[[Tensor], Any] = Tensor.backward,
) -> dict[str, Tensor]:
    """Add the gradients of one iteration to the parameters, chunk by chunk.

    Parameters
    ----------
    net : HyCoNet
    low : Tensor, shape (n, L)
        All hyperspectral pixels.
    high : Tensor, shape (n, ratio * ratio, l)
        The multispectral pixels inside each of them; see :func:`to_blocks`.
    autocast : callable
        Context of the forward pass, for matrix products in bf16.
    backward : callable
        How a loss is differentiated.

    Returns
    -------
    dict of scalar Tensor
        The terms of the loss, summed over the image.
    """
    total: dict[str, Tensor] = {}
    # One context around all chunks: weights are rounded to bf16 once, not once per chunk. The
    # images are not given to a wrapped module, which would round them, too.
    with autocast():
        for part in _chunks(len(low), net.config.chunk_pixels // high.shape[1]):
            terms = net(low[part], high[part])
            with torch.autocast(low.device.type, enabled=False):
                backward(torch.stack(list(terms.values())).sum())
            for name, term in terms.items():
                total[name] = term.detach() + total.get(name, 0.0)
    return total


@own_randomness()
def hyconet(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None,
    psf: PointSpread | None = None,
    seed: int = 0,
    device: str = "cpu",
    preset: str = "paper",
    checkpoint: Path | None = None,
    progress: bool = False,
    watch: Callable[[Tensor], dict[str, float]] | None = None,
    **settings: object,
) -> Outcome:
    """Fuse one pair without any training data but the pair itself; works in tiles of pixels.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, scaled to [0, 1].
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, scaled to [0, 1], co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf : SpectralResponse
        Only its coverage is used, unless the preset says that the response is known.
    psf : PointSpread, optional
        Not used: the method learns it.
    seed : int
        Seeds the weights; the same seed gives the same bytes on one CPU. The random generators
        of Python, NumPy and torch are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    preset : str
        A key of :data:`PRESETS`.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    progress : bool
        Show a bar with loss and time left.
    watch : callable, optional
        Looks at the fused image, shape (L, h * ratio, w * ratio), whenever the curves are logged,
        and returns scores that join them; nothing of it reaches the training.
    **settings
        Fields of :class:`HyCoNetConfig` to change.

    Returns
    -------
    Outcome
        The fused image, shape (L, h * ratio, w * ratio); curves of the loss terms; and the
        :func:`~hsirepro.fusion.hyconet_findings.findings`.

    Raises
    ------
    WavelengthError
        If no spectral response, and so no coverage, is given.
    ParameterError
        If a preset or setting is unknown, or the loss stops being finite.
    """
    if srf is None:
        raise WavelengthError(
            "HyCoNet needs to know which HSI bands each MSI band covers.",
            next_step="pass srf=..., for instance hsirepro.optics.landsat8_oli(wavelengths)",
        )
    config = configure(preset, **settings)
    fabric = launch(device, config.precision, seed)
    if fabric.device.type == "cuda" and config.chunk_pixels:
        config = replace(config, chunk_pixels=max(config.chunk_pixels, 2**18))
    bands, height, width = hsi.shape
    known = srf.matrix.float() if config.response == "known" else None
    net = HyCoNet(bands, len(msi), ratio, srf.coverage, config, known)
    net = fabric.to_device(net)
    optimizer, scheduler = _optimise(net, config)
    low = fabric.to_device(hsi.flatten(1).T.contiguous())
    high = fabric.to_device(to_blocks(msi, ratio))

    def gradients() -> dict[str, Tensor]:
        return accumulate(net, low, high, autocast=fabric.autocast, backward=fabric.backward)

    def answer() -> Tensor:
        parts = (
            net.fuse(high[part].flatten(0, 1)).unflatten(0, (-1, ratio**2))
            for part in _chunks(len(high), 1024)
        )
        return assemble(parts, height, width, ratio)

    run = TrainingRun(
        net,
        optimizer,
        scheduler,
        config.iterations,
        fingerprint=_fingerprint(config, seed, hsi, msi, srf.matrix),
        project=net.project,
        checkpoint=checkpoint,
        watch=None if watch is None else lambda: watch(answer()),
    )
    curves = train(run, gradients, title="HyCoNet", progress=progress)
    return Outcome(
        answer().cpu(),
        curves=curves,
        learned=findings(net, low, high, (height, width)),
        settings={"preset": preset, **asdict(config)},
        earlier_s=run.earlier_s,
    )


def _optimise(
    net: HyCoNet, config: HyCoNetConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    rate = config.learning_rate
    groups = [
        {"params": [*net.encode_hsi.parameters(), net.endmembers], "lr": rate},
        {"params": list(net.encode_msi.parameters()), "lr": rate * config.rate_msi},
        {"params": [net.psf], "lr": rate * config.rate_psf},
        {"params": [net.srf], "lr": rate * config.rate_srf},
    ]
    optimizer = torch.optim.Adam(groups, fused=True)  # a seventh of the time of Adam's own loops
    falling = max(config.iterations - config.hold, 1)

    def factor(step: int) -> float:
        return 1.0 - max(0, step - config.hold) / falling

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _chunks(length: int, size: int) -> Iterator[slice]:
    step = max(size, 1) if size else length
    return (slice(start, start + step) for start in range(0, length, step))


def _fingerprint(config: HyCoNetConfig, seed: int, *given: Tensor) -> str:
    digest = hashlib.sha256(json.dumps([asdict(config), seed], sort_keys=True).encode())
    for tensor in given:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
