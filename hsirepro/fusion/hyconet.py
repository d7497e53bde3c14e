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

The network and its loss are in ``hyconet_net.py``. Paper and released code disagree in a dozen
places: ``hyconet_presets.py`` holds both.

References
----------
.. [1] K. Zheng, L. Gao, W. Liao, D. Hong, B. Zhang, X. Cui, J. Chanussot, "Coupled convolutional
   neural network with adaptive response function learning for unsupervised hyperspectral
   super-resolution", IEEE Trans. Geosci. Remote Sens. 59(3), 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hsirepro.errors import WavelengthError
from hsirepro.fusion.blocks import assemble, to_blocks
from hsirepro.fusion.hyconet_findings import findings
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.fusion.hyconet_presets import HyCoNetConfig, configure
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.training import TrainingRun, fingerprint_of, launch, own_randomness, train


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
        fingerprint=fingerprint_of(asdict(config), seed, hsi, msi, srf.matrix),
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
