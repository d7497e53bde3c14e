"""Planted reflections: light that met more than one material before it reached the sensor.

The model of INSS (eq. 5) multiplies what came after k - 1 reflections by a response x^k of its own,

    e^1 = what one reflection gives,    e^k = e^(k-1) * x^k,    x^k = E^T h^k,    s = sum_k e^k.

It learns h. Here h is a stated smooth function of the abundances a, the same for all scenes,

    h^k_m = 0.08 (1 - a_m)^(k - 1):

light meets again what the pixel is not. By 1 - a_m = sum_{j != m} a_j the second order holds the
products a_i a_j of abundances, and a third reflection asks for others still. INSS cannot say more
than 0.1 for h, so that what is planted is within its reach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRENGTH = 0.08
"""Of a response, before the spectra."""

Floats = NDArray[np.float64]


def reflections(abundances: Floats, endmembers: Floats, order: int) -> Floats:
    """Return what all reflections are over the first, 1 + x^2 + x^2 x^3 + ..., shape (..., C).

    Parameters
    ----------
    abundances : ndarray, shape (..., M)
    endmembers : ndarray, shape (M, C)
        Reflectance.
    order : int
        Highest number of reflections; 1 gives ones.

    Examples
    --------
    >>> E = np.array([[0.5, 1.0], [0.5, 0.0]])
    >>> reflections(np.array([0.5, 0.5]), E, 2)
    array([1.04, 1.04])
    """
    others = 1.0 - abundances
    reflected = np.ones((*abundances.shape[:-1], endmembers.shape[1]))
    total = reflected.copy()
    for k in range(2, order + 1):
        reflected = reflected * (STRENGTH * others ** (k - 1) @ endmembers)
        total += reflected
    return total
