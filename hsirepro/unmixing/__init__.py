"""Unmixing: endmembers, abundances and their number, under the linear mixing model.

Pixels are the columns of a matrix, shape (L, N), endmembers those of another, (L, p), and
abundances are (p, N), so that pixels = endmembers @ abundances. All work is in float64.
"""

from hsirepro.unmixing.dimension import hfc, most_endmembers
from hsirepro.unmixing.hysime import estimate_noise, hysime
from hsirepro.unmixing.nfindr import nfindr
from hsirepro.unmixing.scores import abundance_rmse, match_endmembers
from hsirepro.unmixing.simplex import project_simplex
from hsirepro.unmixing.sisal import sisal
from hsirepro.unmixing.sunsal import fcls, ncls, sunsal
from hsirepro.unmixing.vca import estimate_snr, vca

__all__ = [
    "abundance_rmse",
    "estimate_noise",
    "estimate_snr",
    "fcls",
    "hfc",
    "hysime",
    "match_endmembers",
    "most_endmembers",
    "ncls",
    "nfindr",
    "project_simplex",
    "sisal",
    "sunsal",
    "vca",
]
