"""Unsupervised sparse Dirichlet-Net (uSDN): two small autoencoders that share a decoder.

An encoder turns a pixel, as the MSI sees it, into abundances a by stick breaking [1]_,

    a_j = v_j prod_{k<j} (1 - v_k),     v = sigmoid(u)^(1 / softplus(beta)),

with u and beta linear in the pixel: they are positive and sum to one by construction. A linear
decoder D turns them into the spectrum less the mean of the HSI. Training has three phases:

    hsi    || Z - D a_h(R Z) ||^2 + sparsity H(a_h) + decay |D|^2    encoder and decoder
    fit    || a_m(PSF(Y)) - a_h(R Z) ||^2                            starts the MSI encoder
    msi    || Y - R D a_m(Y) ||^2 + sparsity H(a_m)                  and, in every 20th step,
           the angle between a_m and the a_h of the HSI pixel around, over pi, by itself

with R the spectral response, PSF the point spread and H the entropy, which is least where one
endmember is alone. The fused image is D a_m(Y).

The authors stop when the error to the true image is smallest. Nobody has that image, so the
phases have fixed lengths here, and it matters: a long last phase follows the MSI ever more
closely, and drifts off in the bands that it does not see. The first layer of both encoders sees
whitened pixels, which changes what it can learn by nothing and how long it takes by much, and
images are in units of their deviation from the mean, so that no weight has a unit; the learning
rate is three times the authors'. Phases learn from batches where an image has many pixels.

The method needs the spectral response, and the point spread for the start of the MSI encoder.

References
----------
.. [1] Y. Qu, H. Qi, C. Kwan, "Unsupervised sparse Dirichlet-Net for hyperspectral image
   super-resolution", IEEE CVPR, 2018.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.fusion.estimation import PairOptics, Response, Spread, pair_optics
from hsirepro.fusion.hyconet import from_blocks, to_blocks
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.training import TrainingRun, launch, train

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
        scale = (pixels - mean).square().mean().sqrt().clamp_min(_TINY)
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
    def fuse(self) -> Tensor:
        """Return the fused pixels, shape (H W, L), block by block."""
        endmembers = self.endmembers()
        fused = self.high.new_empty(len(self.high), len(endmembers))
        for start in range(0, len(fused), BATCH):
            part = slice(start, start + BATCH)
            fused[part] = self.encode_msi(self.high[part] @ self.whiten) @ endmembers.T
        return fused


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
    checkpoint: Path | None = None,
    hsi_iterations: int = 2000,
    fit_iterations: int = 1000,
    msi_iterations: int = 500,
    learning_rate: float = 3e-3,
    response: Response = "estimated",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        Used where ``response`` or ``spread`` is ``"given"``.
    seed : int
        Seeds weights and batches; the same seed gives the same bytes on one CPU. The random
        generators of Python, NumPy and torch are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    hsi_iterations, fit_iterations, msi_iterations : int
        Lengths of the three phases.
    learning_rate : float
        Of Adam, in all phases.
    response : {"estimated", "hysure", "given"}
        Spectral response; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    spread : {"assumed", "hysure", "given"}
        Point spread; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    **unused
        Nothing else of the fusion contract is needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio). Curves ``loss``, ``error``, ``sparsity`` and
        ``decay`` of the phase that ``stage`` (1, 2, 3) names, by ``iteration``; learned
        ``endmembers`` (L, 12).

    Raises
    ------
    ParameterError
        If the device is not here, or the loss stops being finite.
    """
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    settings: dict[str, object] = {
        "hsi_iterations": hsi_iterations,
        "fit_iterations": fit_iterations,
        "msi_iterations": msi_iterations,
        "learning_rate": learning_rate,
        "response": response,
        "spread": spread,
    }
    with _own_randomness():
        fabric = launch(device, "fp32", seed)
        net = fabric.to_device(DirichletNet(hsi, optics, ratio))
        optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate, fused=True)
        ends = np.cumsum([hsi_iterations, fit_iterations, msi_iterations])
        run = TrainingRun(
            net,
            optimizer,
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0),
            int(ends[-1]),
            fingerprint=_fingerprint(settings, seed, hsi, optics),
            checkpoint=checkpoint,
        )
        curves = train(run, _gradients(net, run, ends), title="uSDN", progress=progress)
    if curves:
        curves["stage"] = 1.0 + np.searchsorted(ends, curves["iteration"])
    height, width = hsi.shape[1:]
    blocks = net.fuse().reshape(height * width, ratio**2, len(hsi))
    return Outcome(
        from_blocks(blocks, height, width, ratio).cpu(),
        curves=curves,
        learned={"endmembers": net.endmembers().cpu()},
        settings=settings,
    )


def _gradients(
    net: DirichletNet, run: TrainingRun, ends: np.ndarray
) -> Callable[[], dict[str, Tensor]]:
    """Return the step of the phase that the run is in; Adam leaves alone what has no gradient."""

    def gradients() -> dict[str, Tensor]:
        if run.done < ends[0]:
            terms = net.hsi_phase()
        elif run.done < ends[1]:
            terms = net.fit_phase()
        else:
            terms = net.msi_phase(run.done - int(ends[1]))
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        none = torch.zeros(())
        return {name: terms.get(name, none).detach() for name in ("error", "sparsity", "decay")}

    return gradients


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


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Give back the random generators as they were found."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _fingerprint(settings: dict[str, object], seed: int, hsi: Tensor, optics: PairOptics) -> str:
    digest = hashlib.sha256(json.dumps([settings, seed], sort_keys=True).encode())
    for tensor in (hsi, optics.msi, optics.response, optics.spread.kernel):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
