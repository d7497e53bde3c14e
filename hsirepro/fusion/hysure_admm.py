"""The sweeps of HySure: ADMM on whole abundance maps.

They minimise the objective of ``hysure.py``,

    min_X  1/2 ||Z - E X B M||^2 + beta/2 ||Y - R E X||^2 + tau sum_n ||((X D_h)_n, (X D_v)_n)||_2.

The alternating direction method of multipliers (ADMM) splits off V_1 = X B, V_2 = X, V_3 = X D_h
and V_4 = X D_v. Here A_i stands for what X is multiplied with and D_i for the scaled multipliers.
As V_i = X A_i + (change of D_i) after each sweep, the V_i need not be kept, and a sweep is

    X   <- X + [ sum_i (2 D_i - D_i^old) A_i^T ] [ B B^T + I + D_h D_h^T + D_v D_v^T ]^-1
    D_1 <- (E^T E + mu I)^-1 E^T (Z - E N_1)                     at the HSI's pixels, 0 elsewhere
    D_2 <- beta (beta (R E)^T R E + mu I)^-1 (R E)^T (Y - R E N_2)
    (D_3, D_4) <- -min(1, tau / (mu ||N||)) (N_3, N_4)           per pixel

with N_i = X A_i - D_i^old. The inverse is a division of spectra; D_2 lives in as many dimensions
as the MSI has bands. ADMM's primal residual, V_i - X A_i, is the change of D_i.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor
from torch.fft import irfft2, rfft2
from tqdm import tqdm

from hsirepro.fusion.sylvester import CircularSpread
from hsirepro.optics import upsample

_WEAKEST = 1e-2  # share of E's largest singular value, below which the start uses none
_REPORT = 10  # sweeps between two points of the curves
MAPS_AT_ONCE = 6  # in the Fourier domain
_CACHE = 2**17  # pixels of all maps that are worked on at once
_PIXELS_AT_ONCE = 2**16  # of maps that only the curves need


def admm(
    coarse: Tensor,
    msi: Tensor,
    E: Tensor,
    RE: Tensor,
    blur: CircularSpread,
    *,
    tau: float,
    beta: float,
    mu: float,
    iterations: int,
    progress: bool = False,
) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Minimise the objective.

    Parameters
    ----------
    coarse : Tensor, shape (k, h, w), float64
        HSI in k directions.
    msi : Tensor, shape (l, H, W)
        Its type is that of the maps; matrices are prepared in float64.
    E : Tensor, shape (k, p), float64
        Endmembers in the same directions.
    RE : Tensor, shape (l, p), float64
        Endmembers as the MSI sees them.
    blur : CircularSpread
        B M.
    tau, beta, mu, iterations, progress
        As in :func:`~hsirepro.fusion.hysure.hysure`.

    Returns
    -------
    maps : Tensor, shape (p, H, W)
    curves : dict of ndarray
        ``iteration``, ``objective`` and ``primal_residual``, the norm over all V_i - X A_i.
    """
    p, kind = E.shape[1], msi.dtype
    eye = torch.eye(p, dtype=torch.float64)
    gain_hsi = torch.linalg.solve(E.T @ E + mu * eye, E.T).to(kind)  # D_1 = gain_hsi (Z - E N_1)
    gain_msi = (beta * torch.linalg.solve(beta * RE.T @ RE + mu * eye, RE.T)).to(kind)
    start = (torch.linalg.pinv(E, rtol=_WEAKEST) @ coarse.flatten(1)).to(kind)
    z, y = coarse.flatten(1).to(kind), msi.flatten(1)
    E, RE = E.to(kind), RE.to(kind)
    filters = Filters(blur, kind)
    # Any start has the same limit; from this one a scene without structure is there at once.
    X = upsample(start.reshape(p, *coarse.shape[1:]), blur.stride)
    low = filters.decimate(X)  # X B M
    d_h, d_v, d_low = torch.zeros_like(X), torch.zeros_like(X), torch.zeros_like(low)
    d_msi = torch.zeros_like(y)  # D_2 = gain_msi d_msi
    curves: dict[str, list[float]] = {"iteration": [], "objective": [], "primal_residual": []}
    bar = tqdm(range(iterations), disable=not progress, desc="HySure")
    for sweep in bar:
        new_low = gain_hsi @ (z - E @ (low - d_low))
        misfit = y - RE @ X.flatten(1)
        new_msi = misfit + (RE @ gain_msi) @ d_msi
        report = sweep % _REPORT == 0 or sweep == iterations - 1
        push, variation, moved = total_variation_step(X, d_h, d_v, tau / mu, report)
        if report:
            data = _square(z - E @ low) + beta * _square(misfit)
            moved += _square(new_low - d_low)
            for part in torch.split(new_msi - d_msi, _PIXELS_AT_ONCE, dim=1):
                moved += _square(gain_msi @ part)
            curves["iteration"].append(sweep)
            curves["objective"].append(0.5 * data + tau * variation)
            curves["primal_residual"].append(moved**0.5)
            bar.set_postfix(objective=f"{curves['objective'][-1]:.4g}")
        push.flatten(1).addmm_(gain_msi, 2 * new_msi - d_msi)
        low += filters.update(X, push, (2 * new_low - d_low).reshape(p, *coarse.shape[1:]))
        d_low, d_msi = new_low, new_msi
        del push  # the next sweep makes its own
    return X, {name: np.array(values) for name, values in curves.items()}


def total_variation_step(
    X: Tensor, d_h: Tensor, d_v: Tensor, radius: float, report: bool
) -> tuple[Tensor, float, float]:
    """Update the multipliers of both differences, shape (p, H, W), in place.

    Parameters
    ----------
    X, d_h, d_v : Tensor, shape (p, H, W)
        Maps, D_3 and D_4.
    radius : float
        tau / mu, what the multipliers of one pixel are clipped to.
    report : bool
        Whether to measure the two numbers below, or to leave them 0.

    Returns
    -------
    push : Tensor, shape (p, H, W)
        (2 D_3 - D_3^old) D_h^T + (2 D_4 - D_4^old) D_v^T.
    variation : float
        Vector total variation of X.
    moved : float
        Squared norm of the change of both multipliers.
    """
    push = torch.zeros_like(X)
    variation = moved = 0.0
    for rows, after in strips(X):
        along, down = differences_of(X, rows, after)
        if report:
            variation += float(_length(along, down).sum(dtype=torch.float64))
        along -= d_h[:, rows]
        down -= d_v[:, rows]
        shrink = -(radius / _length(along, down).clamp_min(radius))
        for step, old in ((along, d_h[:, rows]), (down, d_v[:, rows])):
            step *= shrink
            if report:
                moved += _square(step - old)
            ahead = 2 * step - old
            old.copy_(step)
            step.copy_(ahead)
        strip = push[:, rows]
        strip -= along
        strip -= down
        strip[..., 1:] += along[..., :-1]
        strip[..., 0] += along[..., -1]
        strip[:, 1:] += down[:, :-1]
        push[:, after] += down[:, -1]
    return push, variation, moved


def strips(X: Tensor) -> list[tuple[slice, int]]:
    """Cut maps (p, H, W) into strips that fit the cache: their rows, and the row after them."""
    p, H, W = X.shape
    rows = max(1, _CACHE // (p * W))
    cuts = [*range(0, H, rows), H]
    return [(slice(top, end), end % H) for top, end in itertools.pairwise(cuts)]


def differences_of(X: Tensor, rows: slice, after: int) -> tuple[Tensor, Tensor]:
    """Return X D_h and X D_v, next pixel less this one, of a strip of rows."""
    strip = X[:, rows]
    along, down = torch.empty_like(strip), torch.empty_like(strip)
    torch.sub(strip[..., 1:], strip[..., :-1], out=along[..., :-1])
    torch.sub(strip[..., 0], strip[..., -1], out=along[..., -1])
    torch.sub(strip[:, 1:], strip[:, :-1], out=down[:, :-1])
    torch.sub(X[:, after], strip[:, -1], out=down[:, -1])
    return along, down


class Filters:
    """What the sweep of X does in the Fourier domain.

    Parameters
    ----------
    blur : CircularSpread
    kind : torch.dtype
        Type of the maps.
    """

    def __init__(self, blur: CircularSpread, kind: torch.dtype) -> None:
        H, W = self.size = blur.size
        self.stride = r = blur.stride
        # |1 - exp(i w)|^2, the power of a circular difference.
        rows, columns = (torch.arange(n, dtype=torch.float64) for n in (H, W // 2 + 1))
        down, along = (
            4 * torch.sin(torch.pi * k / n).square() for k, n in ((rows, H), (columns, W))
        )
        power = blur.transfer.abs().square() + 1 + down[:, None] + along
        complex_kind = torch.complex128 if kind == torch.float64 else torch.complex64
        # Rows of the spectrum in r blocks, which decimation folds onto one.
        self.inverse = (1 / power).to(kind)
        self.transfer = blur.transfer.to(complex_kind).reshape(r, H // r, -1)
        self.reverse = self.transfer.conj().resolve_conj()

    def update(self, X: Tensor, push: Tensor, push_low: Tensor) -> Tensor:
        """Add (push + push_low (B M)^T) / power to ``X``, in place.

        Parameters
        ----------
        X, push : Tensor, shape (p, H, W)
        push_low : Tensor, shape (p, h, w)

        Returns
        -------
        Tensor, shape (p, h w)
            What this adds to X B M.
        """
        (H, W), r = self.size, self.stride
        low = []
        parts = (torch.split(t, MAPS_AT_ONCE) for t in (X, push, push_low))
        for x, p, q in zip(*parts, strict=True):
            change = rfft2(p)
            blocks = change.view(len(p), r, H // r, -1)
            # Zeros between the HSI's pixels: columns by hand, rows by repeating the spectrum.
            wide = q.new_zeros(*q.shape[:2], W)
            wide[..., ::r] = q
            blocks.addcmul_(self.reverse, rfft2(wide)[:, None])
            change *= self.inverse
            x += irfft2(change, s=self.size)
            low.append(self._fold(change))
        return torch.cat(low)

    def decimate(self, X: Tensor) -> Tensor:
        """Return X B M of maps (p, H, W), shape (p, h w)."""
        parts = torch.split(X, MAPS_AT_ONCE)
        return torch.cat([self._fold(rfft2(maps)) for maps in parts])

    def _fold(self, spectrum: Tensor) -> Tensor:
        # Rows are decimated by folding the spectrum, columns by hand.
        folded = (spectrum.view(-1, *self.transfer.shape) * self.transfer).mean(dim=1)
        image: Tensor = irfft2(folded, s=(len(folded[0]), self.size[1]))
        return image[..., :: self.stride].flatten(1)


def _length(along: Tensor, down: Tensor) -> Tensor:
    """Return one norm per pixel, over both directions and all maps (the fast way on a CPU)."""
    return (along.square().sum(0) + down.square().sum(0)).sqrt()


def _square(x: Tensor) -> float:
    return float(x.square().sum(dtype=torch.float64))
