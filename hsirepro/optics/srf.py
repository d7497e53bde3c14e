"""Spectral response: what one broad band sees of the narrow ones.

    y[b, m, i, j] = sum_c R[m, c] x[b, c, i, j],        sum_c R[m, c] = 1,

a matrix per pixel, with its adjoint. The matrix comes from a table of response against
wavelength, sampled at the band centres of the cube; see :mod:`hsirepro.optics.responses` for
the tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError, WavelengthError


class SpectralResponse:
    """Mix L narrow bands into l broad ones: a linear operator with adjoint.

    Parameters
    ----------
    matrix : array_like or Tensor, shape (l, L)
        Response of each broad band to each narrow one; every row is divided by its sum.
    names : sequence of str, length l
        Names of the broad bands.
    wavelengths : array_like, shape (L,)
        Centres of the narrow bands in nm.

    Attributes
    ----------
    matrix : Tensor, shape (l, L), float32
        Rows sum to 1.
    names : tuple of str
    wavelengths : ndarray, shape (L,), nm

    Raises
    ------
    ShapeError
        If the three do not fit each other.
    ParameterError
        If the matrix holds NaN or infinite values.
    WavelengthError
        If a row has no positive sum: its band sees nothing of the cube.

    Examples
    --------
    >>> srf = SpectralResponse([[1, 1, 0], [0, 1, 3]], ["blue", "red"], [450, 550, 650])
    >>> srf.matrix.tolist(), srf.coverage
    ([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]], [(0, 1), (1, 2)])
    >>> srf(torch.rand(1, 3, 8, 8)).shape
    torch.Size([1, 2, 8, 8])
    """

    def __init__(
        self, matrix: ArrayLike | Tensor, names: Sequence[str], wavelengths: ArrayLike
    ) -> None:
        given = matrix.detach().cpu().numpy() if isinstance(matrix, Tensor) else matrix
        R = np.asarray(given, dtype=np.float64)
        self.names = tuple(names)
        self.wavelengths = np.asarray(wavelengths, dtype=np.float64).reshape(-1)
        if R.shape != (len(self.names), len(self.wavelengths)):
            raise ShapeError(
                f"A spectral response of shape {R.shape} does not fit {len(self.names)} band "
                f"names and {len(self.wavelengths)} wavelengths.",
                next_step="give one row per broad band and one column per band of the cube",
            )
        if not np.isfinite(R).all():
            raise ParameterError("The spectral response holds NaN or infinite values.")
        for name, total in zip(self.names, R.sum(axis=1), strict=True):
            if total <= 0:
                raise WavelengthError(
                    f"Band '{name}' has no response at any band of the cube.",
                    cube=_span(self.wavelengths),
                    next_step="leave the band out, or use a cube that covers it",
                )
        self.matrix = torch.from_numpy((R / R.sum(axis=1, keepdims=True)).astype(np.float32))

    def __repr__(self) -> str:
        bands = ", ".join(self.names)
        return f"SpectralResponse({len(self.wavelengths)} bands -> {bands})"

    @classmethod
    def from_table(
        cls,
        table_nm: ArrayLike,
        table_values: ArrayLike,
        wavelengths: ArrayLike,
        names: Sequence[str],
    ) -> SpectralResponse:
        """Sample tabulated responses at the band centres of a cube.

        The table is interpolated linearly; outside it, and where it dips below 0 (noise of the
        measurement), the response is 0. A broad band counts as covered if at least one band of
        the cube lies where the response is half its peak or more. A band that the cube covers in
        part, such as OLI blue on a cube that starts at 466 nm, is truncated.

        Parameters
        ----------
        table_nm : array_like, shape (n,)
            Increasing wavelengths in nm.
        table_values : array_like, shape (n, l)
            Relative response, any scale.
        wavelengths : array_like, shape (L,)
            Band centres of the cube in nm.
        names : sequence of str, length l
            Names of the broad bands.

        Raises
        ------
        ShapeError
            If table, wavelengths and names do not fit each other.
        ParameterError
            If ``table_nm`` does not increase, or the table holds NaN.
        WavelengthError
            If the cube has no band inside the half-maximum limits of a broad one.
        """
        nm = np.asarray(table_nm, dtype=np.float64).reshape(-1)
        values = np.asarray(table_values, dtype=np.float64)
        centres = np.asarray(wavelengths, dtype=np.float64).reshape(-1)
        if values.shape != (len(nm), len(names)):
            raise ShapeError(
                f"A response table of shape {values.shape} does not fit {len(nm)} wavelengths and "
                f"{len(names)} band names."
            )
        if not (np.isfinite(values).all() and np.isfinite(nm).all() and (np.diff(nm) > 0).all()):
            raise ParameterError(
                "A response table needs finite values at increasing wavelengths.",
                next_step="sort the table by wavelength and remove doubled or empty rows",
            )
        rows = []
        for name, curve in zip(names, np.clip(values, 0, None).T, strict=True):
            row = np.interp(centres, nm, curve, left=0, right=0)
            if not len(row) or row.max() <= 0 or row.max() < curve.max() / 2:
                _complain_uncovered(name, nm, curve, centres)
            rows.append(row)
        return cls(np.stack(rows), names, centres)

    @property
    def coverage(self) -> list[tuple[int, int]]:
        """First and last cube band (inclusive, 0-based) with non-zero response, per broad band."""
        seen = [torch.nonzero(row).reshape(-1) for row in self.matrix]
        return [(int(bands[0]), int(bands[-1])) for bands in seen]

    @property
    def centres(self) -> np.ndarray:
        """Centroid of each broad band in nm, shape (l,)."""
        weights: np.ndarray = self.matrix.numpy().astype(np.float64)
        centroids: np.ndarray = weights @ self.wavelengths / weights.sum(axis=1)
        return centroids

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the operator.

        Parameters
        ----------
        x : Tensor, shape (C=L, H, W) or (B, L, H, W)
            Spectra along the band axis.

        Returns
        -------
        Tensor, shape (l, H, W) or (B, l, H, W)

        Raises
        ------
        ShapeError
            If ``x`` does not have L bands.
        """
        return self._apply(self.matrix, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the adjoint, the transposed matrix at every pixel.

        Parameters
        ----------
        y : Tensor, shape (l, H, W) or (B, l, H, W)

        Returns
        -------
        Tensor, shape (L, H, W) or (B, L, H, W)

        Raises
        ------
        ShapeError
            If ``y`` does not have l bands.
        """
        return self._apply(self.matrix.T, y)

    def _apply(self, matrix: Tensor, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4) or x.shape[-3] != matrix.shape[1]:
            raise ShapeError(
                f"{self!r} takes images with {matrix.shape[1]} bands here, this tensor has shape "
                f"{tuple(x.shape)}.",
                next_step="build the response from the wavelengths of this cube",
            )
        # One matrix product over all pixels; nothing of the size of x is copied.
        y = matrix.to(device=x.device, dtype=x.dtype) @ x.flatten(-2)
        return y.reshape(*y.shape[:-1], *x.shape[-2:])


def _span(centres: np.ndarray) -> str:
    if not len(centres):
        return "no bands"
    return f"{len(centres)} bands from {centres.min():g} nm to {centres.max():g} nm"


def _complain_uncovered(name: str, nm: np.ndarray, curve: np.ndarray, centres: np.ndarray) -> None:
    half = nm[curve >= curve.max() / 2] if curve.max() > 0 else nm[:0]
    limits = f"{half[0]:g} nm to {half[-1]:g} nm" if len(half) else "nowhere: its column is empty"
    raise WavelengthError(
        f"The cube has fewer bands than the spectral response needs: none lies in '{name}'.",
        half_maximum=limits,
        cube=_span(centres),
        next_step=f"leave out '{name}', or use a cube that covers it",
    )
