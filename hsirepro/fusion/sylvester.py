"""Fast fusion by a Sylvester equation (FUSE, R-FUSE): the Gaussian prior solved in closed form.

The pixels are written in a few principal directions of the HSI, X = V W, and W is the maximum
a posteriori estimate under white noise in both images and a Gaussian prior around the
interpolated HSI, M [1]_:

    min_W  ||Z - V W A||^2 + ||Y - R V W||^2 + sum_k rho_k ||W_k - M_k||^2,

with A the blur and decimation (pixels are columns, so A acts from the right) and
rho_k = precision * noise^2 / (mean square of direction k): directions that are weak in the HSI
stay close to the prior. Setting the gradient to zero gives the Sylvester equation

    C W + W A A^T = V^T Z A^T + (R V)^T Y + diag(rho) M,      C = (R V)^T R V + diag(rho).

With periodic borders the blur is a product with K per frequency, and decimation by r adds the
d = r^2 frequencies that fall onto one. C = Q diag(lambda) Q^T uncouples the directions, the
decimated frequencies are uncoupled too, and what is left per direction and coarse frequency is a
matrix of rank one plus lambda I, inverted by Sherman and Morrison [1]_ [2]_. Written from the
solution W_0 of the problem without the HSI, this reads

    W = W_0 + Q [ Q^T (V^T Z - W_0 A) / (lambda + sum_s |K_s|^2 / d) ] A^T,

the division being one of coarse spectra: the HSI corrects W_0 by its filtered residual. The
rearrangement is exact, and keeps float64 accurate where lambda is as small as 1e-11.

It needs the spectral response and the point spread, on which the answer depends by
many dB. The toolbox of the review [3]_ has a window of its own for this method, which has no centre
on a block of even side; here it is told the point spread that the other methods are told. The
toolbox's prior mean is a spline, here the bicubic interpolation; its scale of 10000, with unit
noise, is the noise of 1e-4 of the brightest pixel here; its periodic borders are kept.

References
----------
.. [1] Q. Wei, N. Dobigeon, J.-Y. Tourneret, "Fast fusion of multi-band images based on solving a
   Sylvester equation", IEEE Trans. Image Process. 24(11), 2015.
.. [2] Q. Wei, N. Dobigeon, J.-Y. Tourneret, J. Bioucas-Dias, S. Godsill, "R-FUSE: robust fast
   fusion of multiband images based on solving a Sylvester equation", IEEE Signal Process. Lett.
   23(11), 2016.
.. [3] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fft import fft2, irfft2, rfft2

from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.memory import require_memory
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse, upsample
from hsirepro.optics.checks import check_number, check_ratio

_RANK = 1e-12  # of the largest eigenvalue: weaker directions are rounding of float32 pixels
_PIXELS_AT_ONCE = 2**15


def fuse_sylvester(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    response: Response = "hysure",
    spread: Spread = "assumed",
    components: int = 15,
    precision: float = 1e-3,
    noise: float = 1e-4,
    **unused: object,
) -> Outcome:
    """Fuse one pair; holds the image whole, as maps of its components in float64.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        The true optics, used where ``response`` or ``spread`` is ``"given"``.
    response, spread : str
        What the method believes of the sensors, see
        :func:`~hsirepro.fusion.estimation.pair_optics`.
    components : int
        Principal directions of the HSI, not centred; fewer where the HSI has a lower rank.
    precision : float
        Inverse variance of the prior, with every direction scaled to a mean square of 1.
    noise : float
        Standard deviation of the noise in both images, as a share of the largest HSI pixel.
    **unused
        ``seed`` and ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio); ``learned`` holds the response, the kernel and
        the principal directions, ``basis`` (L, k).

    Raises
    ------
    ParameterError
        If a setting is impossible.
    ResourceError
        If the component maps do not fit the free memory.
    """
    settings: dict[str, object] = {
        "response": response,
        "spread": spread,
        "components": components,
        "precision": precision,
        "noise": noise,
    }
    check_ratio(components, name="components", least=1)
    for name, value in (("precision", precision), ("noise", noise)):
        check_number(name, value, "the units of the model", positive=True)
    pixels, count = msi[0].numel(), min(components, len(hsi))
    require_memory(
        "fuse",
        pixels * (8 * (count + 3 * len(msi)) + max(16 * count, 4 * len(hsi))),
        "three sets of component maps in float64, or one and the fused image: the blur is "
        "inverted on whole maps.",
    )
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    basis, power = principal_directions(hsi.double(), components)
    mixed = optics.response @ basis  # (l, k), what the MSI sees of each direction
    coarse = torch.tensordot(basis.T, hsi.double(), dims=1)
    rho = precision * (noise * float(hsi.max())) ** 2 / power
    rho = rho.clamp_min(torch.finfo(rho.dtype).tiny)  # a black scene has no scale
    blur = CircularSpread(optics.spread, msi.shape[1:])
    maps = solve(coarse, optics.msi.double(), mixed, blur, rho, upsample(coarse, ratio))
    fused = torch.empty(len(hsi), pixels, dtype=hsi.dtype)
    for first in range(0, pixels, _PIXELS_AT_ONCE):
        span = slice(first, first + _PIXELS_AT_ONCE)
        fused[:, span] = basis @ maps.flatten(1)[:, span]
    learned = {"srf": optics.response, "psf": optics.spread.kernel, "basis": basis}
    return Outcome(fused.reshape(-1, *msi.shape[1:]), learned=learned, settings=settings)


def principal_directions(hsi: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the leading directions of the spectra, not centred, and their mean squares.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
    count : int

    Returns
    -------
    basis : Tensor, shape (L, k)
        Orthonormal; k is ``count`` or the numerical rank, at least 1.
    power : Tensor, shape (k,)
        Mean square of the pixels along each direction.
    """
    pixels = hsi.flatten(1)
    power, vectors = torch.linalg.eigh(pixels @ pixels.T / pixels.shape[1])
    power, vectors = power.flip(0), vectors.flip(1)
    rank = int((power > _RANK * power[0]).sum())
    kept = max(1, min(count, rank))
    power = power[:kept]
    return vectors[:, :kept], power.where(power > 0, torch.ones_like(power))  # a black scene


class CircularSpread:
    """A point spread with periodic borders: what it is inside the image, a product per frequency.

    Parameters
    ----------
    spread : PointSpread
        Gives the kernel, its place on the block and the stride.
    size : (int, int)
        High-resolution image, multiples of the stride.

    Attributes
    ----------
    transfer : Tensor, shape (H, W // 2 + 1), complex128
        K, what the blur multiplies each frequency of :func:`torch.fft.rfft2` with.
    """

    def __init__(self, spread: PointSpread, size: Sequence[int]) -> None:
        self.stride, self.size = spread.stride, tuple(size)
        taps = spread.kernel.double()
        image = torch.zeros(self.size, dtype=torch.float64)
        rows, columns = (
            (torch.arange(n) - (n - self.stride) // 2) % length
            for n, length in zip(taps.shape, self.size, strict=True)
        )
        # A kernel larger than the image wraps around it, so taps add up.
        image.index_put_((rows[:, None], columns[None, :]), taps, accumulate=True)
        # The kernel is laid over the image as printed: a correlation, so the conjugate.
        self.transfer = rfft2(image).conj()

    def __call__(self, x: Tensor) -> Tensor:
        """Blur and decimate images, shape (..., H, W)."""
        r, images = self.stride, x.reshape(-1, *self.size)
        low = x.new_empty(len(images), self.size[0] // r, self.size[1] // r)
        for image, seen in zip(images, low, strict=True):  # the spectra of all would be large
            seen.copy_(irfft2(rfft2(image) * self.transfer, s=self.size)[::r, ::r])
        return low.reshape(*x.shape[:-2], *low.shape[-2:])

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the adjoint to images, shape (..., h, w)."""
        r, images = self.stride, y.reshape(-1, *y.shape[-2:])
        spread = y.new_zeros(len(images), *self.size)
        for image, into in zip(images, spread, strict=True):
            into[::r, ::r] = image
            into.copy_(irfft2(rfft2(into) * self.transfer.conj(), s=self.size))
        return spread.reshape(*y.shape[:-2], *self.size)

    def folded_power(self) -> Tensor:
        """Return the spectrum of A^T A at the coarse frequencies, sum_s |K_s|^2 / d, (h, w)."""
        r = self.stride
        h, w = (length // r for length in self.size)
        full: Tensor = fft2(irfft2(self.transfer, s=self.size)).abs().square()
        return full.reshape(r, h, r, w).mean(dim=(0, 2))


def solve(
    coarse: Tensor, msi: Tensor, mixed: Tensor, blur: CircularSpread, rho: Tensor, prior: Tensor
) -> Tensor:
    """Solve the Sylvester equation of the module.

    Parameters
    ----------
    coarse : Tensor, shape (k, h, w), float64
        HSI in the principal directions, V^T Z.
    msi : Tensor, shape (l, H, W)
        Y.
    mixed : Tensor, shape (l, k)
        R V.
    blur : CircularSpread
        A.
    rho : Tensor, shape (k,)
        Weight of the prior, positive.
    prior : Tensor, shape (k, H, W)
        M.

    Returns
    -------
    Tensor, shape (k, H, W)
        W.
    """
    # W_0 = M + rho^-1 (R V)^T [I + R V rho^-1 (R V)^T]^-1 (Y - R V M): the step that fits the MSI
    # without moving what the MSI does not see. Scaled by rho^1/2, its inverse is well conditioned.
    seen = mixed / rho.sqrt()
    left, singular, right = torch.linalg.svd(seen, full_matrices=False)
    step = (right.T * (singular / (1.0 + singular.square()))) @ left.T / rho.sqrt()[:, None]
    misfit = msi - torch.tensordot(mixed, prior, dims=1)
    maps: Tensor = prior + torch.tensordot(step, misfit, dims=1)
    eigenvalues, Q = torch.linalg.eigh(mixed.T @ mixed + rho.diag())
    residual = rfft2(torch.tensordot(Q.T, coarse - blur(maps), dims=1))
    h, w = coarse.shape[1:]
    half = blur.folded_power()[:, : w // 2 + 1]
    residual /= eigenvalues.clamp_min(rho.min())[:, None, None] + half
    correction = torch.tensordot(Q, irfft2(residual, s=(h, w)), dims=1)
    for whole, low in zip(maps, correction, strict=True):
        whole += blur.adjoint(low)
    return maps
