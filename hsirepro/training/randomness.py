"""Seeding one run leaves the randomness of whoever called it alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_randomness() -> Iterator[None]:
    """Give back the random generators of Python, NumPy and torch as they were found.

    Also a decorator, for a method that seeds them.

    Examples
    --------
    >>> before = torch.get_rng_state()
    >>> with own_randomness():
    ...     _ = torch.manual_seed(7)
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
