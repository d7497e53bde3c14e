"""Recovery of spectra from colour: one file per method, one contract for all.

A method fits a model to :class:`~hsirepro.recovery.pairs.Pairs`,
``fit(pairs, *, validation, seed, device, progress, checkpoint, preset, **settings) -> Fitted``, and
the model gives any colour image spectra: ``model.reconstruct(rgb) -> Recovered``.
"""

from __future__ import annotations

from collections.abc import Callable

from hsirepro.recovery.fmnet import fmnet
from hsirepro.recovery.hscnn import hscnn_d, hscnn_r
from hsirepro.recovery.hsrnet import hsrnet
from hsirepro.recovery.inss import inss
from hsirepro.recovery.model import Fitted, Recovered, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.pdass import pdass
from hsirepro.recovery.r2hgan import r2hgan
from hsirepro.recovery.regression import regression

__all__ = ["METHODS", "Fitted", "Pairs", "Recovered", "Recoverer"]

METHODS: dict[str, Callable[..., Fitted]] = {
    "regression": regression,
    "r2hgan": r2hgan,
    "fmnet": fmnet,
    "hsrnet": hsrnet,
    "hscnn-r": hscnn_r,
    "hscnn-d": hscnn_d,
    "pdass": pdass,
    "inss": inss,
}
"""From the name of a method to what fits it."""
