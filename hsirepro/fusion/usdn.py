"""Unsupervised sparse Dirichlet-Net (uSDN): two small autoencoders that share a decoder.

An encoder turns a pixel, of the HSI or of the MSI, into abundances a by stick breaking [1]_,

    a_j = v_j prod_{k<j} (1 - v_k),     v = sigmoid(u)^(1 / softplus(beta)),

which are positive and sum to one by construction; a linear decoder D turns them into the spectrum
less its mean. Training has three phases, each of a fixed length:

    hsi    || Z - D(a_h) ||^2 + decay |D|^2 + sparsity H(a_h)      learns encoder and decoder
    fit    || a_m(R Z) - a_h ||^2                                  starts the MSI encoder
    msi    || Y - R D(a_m) ||^2 + sparsity H(a_m), and every 20th step the mean angle between
           the abundances of an MSI pixel and of the HSI pixel around it, over pi

H is the entropy, which is least where one endmember is alone. The authors end each phase when the
error to the true image is smallest. Nobody has that image, so the lengths are settings here.

The method needs the spectral response. The point spread enters only through its estimate.

References
----------
.. [1] Y. Qu, H. Qi, C. Kwan, "Unsupervised sparse Dirichlet-Net for hyperspectral image
   super-resolution", IEEE CVPR, 2018.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.hyconet import from_blocks, to_blocks
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.training import TrainingRun, launch, train

WIDTH, LAYERS, LATENT = 3, 4, 12
SPARSITY, DECAY = 1e-3, 1e-4
TIE_EVERY = 20  # steps between two looks at the angle of the abundances
PART = 65536  # pixels at a time, when the answer is computed


class Encoder(nn.Module):
    """Pixels, shape (N, bands), to abundances, shape (N, LATENT)."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        widths = [bands + WIDTH * i for i in range(LAYERS)]
        self.layers = nn.ModuleList(nn.Linear(size, WIDTH) for size in widths)
        full = bands + WIDTH * LAYERS
        self.sticks = nn.Linear(full, LATENT - 1)
        self.shape = nn.Sequential(nn.Linear(full, WIDTH), nn.Linear(WIDTH, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return abundances that are positive and sum to one."""
        for layer in self.layers:  # linear, each sees all before it
            pixels = torch.cat([pixels, layer(pixels)], dim=1)
        power = 1.0 / F.softplus(self.shape(pixels)).clamp_min(1e-3)
        log_v = F.logsigmoid(self.sticks(pixels)) * power
        # In logarithms, or long products of small sticks underflow.
        left = torch.log(-torch.expm1(log_v.clamp_max(-1e-6))).cumsum(dim=1)
        start = torch.zeros_like(left[:, :1])
        return torch.cat([log_v, start], dim=1).add(torch.cat([start, left], dim=1)).exp()


class Decoder(nn.Sequential):
    """Abundances, shape (N, LATENT), to spectra less their mean, shape (N, L); linear."""

    def __init__(self, bands: int) -> None:
        super().__init__(
            nn.Linear(LATENT, LATENT, bias=False), nn.Linear(LATENT, bands, bias=False)
        )


def usdn(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    response: Response = "estimated",
    spread: Spread = "assumed",
    hsi_iterations: int = 2000,
    fit_iterations: int = 2000,
    msi_iterations: int = 500,
    learning_rate: float = 1e-3,
    **unused: object,
) -> Outcome:
    """Fuse one pair.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, scaled to about [0, 1].
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, scaled alike, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        Used where ``response`` or ``spread`` is ``"given"``.
    seed : int
        Seeds the weights; the same seed gives the same bytes on one CPU.
    device : str
        ``"cpu"`` or ``"cuda"``.
    progress : bool
        Show a bar with loss and time left.
    response, spread
        What the method is told of the sensors, see :mod:`hsirepro.fusion.estimation`.
    hsi_iterations, fit_iterations, msi_iterations : int
        Length of the three phases.
    learning_rate : float
        Of Adam, in all phases.
    **unused
        Nothing else of the fusion contract is needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio); curves of the last phase; ``endmembers``
        (L, LATENT).
    """
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    fabric = launch(device, "fp32", seed)
    bands, height, width = hsi.shape
    R = fabric.to_device(optics.response.float())
    z = fabric.to_device(hsi.flatten(1).T.contiguous())
    y = fabric.to_device(to_blocks(optics.msi, ratio))
    mean = z.mean(dim=0)
    z, y = z - mean, y - R @ mean
    flat = y.flatten(0, 1)
    encode_hsi, encode_msi, decode = (
        fabric.to_device(part) for part in (Encoder(bands), Encoder(len(msi)), Decoder(bands))
    )
    same = hashlib.sha256(hsi.numpy().tobytes() + msi.numpy().tobytes()).hexdigest()

    def phase(
        title: str, parts: list[nn.Module], iterations: int, loss: Callable[[int], dict[str, Any]]
    ) -> dict[str, Any]:
        modules = nn.ModuleList(parts)
        optimizer = torch.optim.Adam(modules.parameters(), lr=learning_rate)
        constant = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
        run = TrainingRun(modules, optimizer, constant, iterations, fingerprint=f"{same} {title}")

        def gradients() -> dict[str, Tensor]:
            terms = loss(run.done)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            return {name: term.detach() for name, term in terms.items()}

        return train(run, gradients, title=f"uSDN, {title}", progress=progress)

    def of_hsi(_: int) -> dict[str, Tensor]:
        a = encode_hsi(z)
        weight = sum((p.square().mean() for p in decode.parameters()), torch.zeros(()).to(a))
        return {
            "hsi": (z - decode(a)).square().sum() / bands,
            "decay": DECAY * weight,
            "sparsity": SPARSITY * entropy(a),
        }

    phase("hsi", [encode_hsi, decode], hsi_iterations, of_hsi)
    with torch.no_grad():
        target = encode_hsi(z)

    phase(
        "fit",
        [encode_msi],
        fit_iterations,
        lambda _: {"fit": (encode_msi(z @ R.T) - target).square().sum()},
    )
    spectra = (R @ decode[1].weight.detach() @ decode[0].weight.detach()).T  # (LATENT, l)

    def of_msi(step: int) -> dict[str, Tensor]:
        a = encode_msi(flat)
        terms = {
            "msi": (flat - a @ spectra).square().sum() / len(msi),
            "sparsity": SPARSITY * entropy(a),
            "angle": torch.zeros((), device=a.device),
        }
        if step % TIE_EVERY == 0:
            near = target.repeat_interleave(ratio * ratio, dim=0)
            terms["angle"] = angle(a, near)
        return terms

    curves = phase("msi", [encode_msi], msi_iterations, of_msi)
    with torch.no_grad():
        parts = [decode(encode_msi(part)) + mean for part in flat.split(PART)]
    blocks = torch.cat(parts).reshape(len(y), ratio * ratio, bands)
    image = from_blocks(blocks, height, width, ratio).cpu()
    endmembers = (decode[1].weight @ decode[0].weight).detach() + mean[:, None]
    settings: dict[str, object] = {
        "response": response,
        "spread": spread,
        "hsi_iterations": hsi_iterations,
        "fit_iterations": fit_iterations,
        "msi_iterations": msi_iterations,
        "learning_rate": learning_rate,
    }
    return Outcome(image, curves, {"endmembers": endmembers.cpu()}, settings)


def entropy(abundances: Tensor) -> Tensor:
    """Return the entropy of abundances, shape (N, p), summed over pixels."""
    return -(abundances * abundances.clamp_min(1e-12).log()).sum()


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean angle between rows of a and b, over pi."""
    cosine = F.cosine_similarity(a, b, dim=1)
    # The derivative of arccos is infinite where two rows agree.
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean() / math.pi
