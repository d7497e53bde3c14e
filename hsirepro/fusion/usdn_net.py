"""The network of uSDN and the losses of its three phases; ``usdn.py`` says what they are for."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.fusion.blocks import to_blocks
from hsirepro.fusion.estimation import PairOptics

WIDTH, LAYERS, LATENT = 3, 4, 12
SPARSITY, DECAY = 1e-3, 1e-4
ANGLE_EVERY = 20  # steps
BATCH = 16384  # pixels of a step, and at a time when the answer is computed
_TINY = torch.finfo(torch.float32).tiny


class Encoder(nn.Module):
    """Pixels, shape (N, bands), to abundances, shape (N, LATENT).

    Parameters
    ----------
    bands : int
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        widths = [bands + WIDTH * i for i in range(LAYERS)]
        self.bands = bands
        self.layers = nn.ModuleList(nn.Linear(size, WIDTH) for size in widths)
        full = bands + WIDTH * LAYERS
        self.sticks = nn.Linear(full, LATENT - 1)
        self.shape = nn.Sequential(nn.Linear(full, WIDTH), nn.Linear(WIDTH, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return abundances that are positive and sum to one."""
        # The layers are linear, so they are multiplied with each other before they meet pixels:
        # what they do to the origin and to the unit vectors says it all.
        corners = torch.eye(self.bands, dtype=pixels.dtype, device=pixels.device)
        seen = torch.cat([torch.zeros_like(corners[:1]), corners])
        for layer in self.layers:  # each sees all before it
            seen = torch.cat([seen, layer(seen)], dim=1)
        seen = torch.cat([self.sticks(seen), self.shape(seen)], dim=1)
        u = torch.addmm(seen[0], pixels, seen[1:] - seen[0])
        power = 1.0 / F.softplus(u[:, -1:]).clamp_min(1e-3)
        log_v = F.logsigmoid(u[:, :-1]) * power
        # In logarithms, or long products of small sticks underflow.
        left = torch.log(-torch.expm1(log_v.clamp_max(-1e-6))).cumsum(dim=1)
        start = torch.zeros_like(left[:, :1])
        return (torch.cat([log_v, start], dim=1) + torch.cat([start, left], dim=1)).exp()


class Decoder(nn.Module):
    """Abundances, shape (N, LATENT), to spectra less their mean, shape (N, bands).

    Parameters
    ----------
    bands : int
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, LATENT, bias=False)
        self.second = nn.Linear(LATENT, bands, bias=False)

    def spectra(self) -> Tensor:
        """Return the one matrix that both layers are, shape (bands, LATENT)."""
        return self.second.weight @ self.first.weight

    def forward(self, abundances: Tensor) -> Tensor:
        """Return spectra less their mean."""
        return F.linear(abundances, self.spectra())


class DirichletNet(nn.Module):
    """The two autoencoders, the images that they learn from, and the loss of every phase.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
    optics : PairOptics
        Response, point spread, and MSI of ``ratio`` times as many rows and columns.
    ratio : int
    """

    response: Tensor  # (l, L)
    whiten: Tensor  # (l, l)
    mean: Tensor  # (L,)
    scale: Tensor
    z: Tensor  # (h w, L), the HSI
    low: Tensor  # (h w, l), the MSI through the point spread
    high: Tensor  # (H W, l), the MSI, block by block

    def __init__(self, hsi: Tensor, optics: PairOptics, ratio: int) -> None:
        super().__init__()
        pixels, R, y = hsi.flatten(1).T.double(), optics.response, optics.msi.double()
        mean = pixels.mean(dim=0)
        size, deviation = pixels.square().mean().sqrt(), (pixels - mean).square().mean().sqrt()
        scale = torch.maximum(deviation, 1e-6 * size).clamp_min(_TINY)  # an HSI may be constant
        z = (pixels - mean) / scale
        variance, axes = torch.linalg.eigh(R @ z.T @ z @ R.T / len(z))
        least = 1e-6 * variance[-1].clamp_min(0.0) + _TINY
        for name, value in {
            "response": R,
            "whiten": axes / torch.maximum(variance, least).sqrt(),
            "mean": mean,
            "scale": scale,
            "z": z,
            "low": (optics.spread(y).flatten(1).T - R @ mean) / scale,
            "high": (to_blocks(y, ratio).flatten(0, 1) - R @ mean) / scale,
        }.items():
            self.register_buffer(name, value.float(), persistent=False)
        self.pixels_per_block = ratio**2
        self.encode_hsi, self.encode_msi = Encoder(len(R)), Encoder(len(R))
        self.decode = Decoder(len(hsi))

    def abundances_of_hsi(self, chosen: Tensor) -> Tensor:
        """Return a_h, shape (n, LATENT), of the HSI pixels with these indices."""
        abundances: Tensor = self.encode_hsi(self.z[chosen] @ self.response.T @ self.whiten)
        return abundances

    def hsi_phase(self) -> dict[str, Tensor]:
        """Return the loss of HSI encoder and decoder."""
        chosen = _batch(self.z)
        a = self.abundances_of_hsi(chosen)
        weights = (self.decode.first.weight, self.decode.second.weight)
        return {
            "error": (self.z[chosen] - self.decode(a)).square().sum() / self.z.shape[1],
            "sparsity": SPARSITY * entropy(a),
            "decay": DECAY * torch.stack([w.square().mean() for w in weights]).sum(),
        }

    def fit_phase(self) -> dict[str, Tensor]:
        """Return the loss of the MSI encoder on low-resolution pixels."""
        chosen = _batch(self.low)
        with torch.no_grad():
            target = self.abundances_of_hsi(chosen)
        return {"error": (self.encode_msi(self.low[chosen] @ self.whiten) - target).square().sum()}

    def msi_phase(self, step: int) -> dict[str, Tensor]:
        """Return the loss of the MSI encoder on the MSI, or the angle to the HSI's abundances."""
        chosen = _batch(self.high)
        a = self.encode_msi(self.high[chosen] @ self.whiten)
        if step % ANGLE_EVERY == ANGLE_EVERY // 2:
            with torch.no_grad():
                around = self.abundances_of_hsi(chosen // self.pixels_per_block)
            return {"error": len(a) * angle(a, around)}
        with torch.no_grad():  # the decoder stays as it is
            seen = self.response @ self.decode.spectra()
        error = (self.high[chosen] - a @ seen.T).square().sum() / self.high.shape[1]
        return {"error": error, "sparsity": SPARSITY * entropy(a)}

    @torch.no_grad()
    def endmembers(self) -> Tensor:
        """Return the endmembers, shape (L, LATENT), in the units of the images."""
        return self.decode.spectra() * self.scale + self.mean[:, None]

    @torch.no_grad()
    def fuse(self) -> Iterator[Tensor]:
        """Yield the fused pixels, shape (n, ratio * ratio, L), some blocks at a time."""
        endmembers = self.endmembers()
        at_once = max(BATCH // self.pixels_per_block, 1) * self.pixels_per_block
        for pixels in torch.split(self.high, at_once):
            fused = self.encode_msi(pixels @ self.whiten) @ endmembers.T
            yield fused.unflatten(0, (-1, self.pixels_per_block))


def entropy(abundances: Tensor) -> Tensor:
    """Return the entropy of abundances, shape (N, p), summed over pixels."""
    return -(abundances * abundances.clamp_min(1e-12).log()).sum()


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean angle between the rows of a and b, shape (N, p), over pi."""
    cosine = F.cosine_similarity(a, b, dim=1)
    # The derivative of arccos is infinite where two rows agree.
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean() / math.pi


def _batch(image: Tensor) -> Tensor:
    """Return indices of pixels, shape (n,): all of them, or as many as a step takes."""
    if len(image) <= BATCH:
        return torch.arange(len(image), device=image.device)
    return torch.randint(len(image), (BATCH,)).to(image.device)
