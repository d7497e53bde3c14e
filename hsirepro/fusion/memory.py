"""Memory of the fusion methods: what cannot be cut into tiles is refused, not swapped."""

from __future__ import annotations

import psutil

from hsirepro.errors import ResourceError


def require_memory(
    method: str,
    needed: int,
    why: str,
    next_step: str = "crop the pair, or take a method that works in tiles: gsa, sfim-hs, glp-hs",
) -> None:
    """Refuse a pair whose working set does not fit the memory that is free.

    Parameters
    ----------
    method : str
        Name of the method, for the error.
    needed : int
        Bytes that the method holds at once, beside the pair.
    why : str
        What is held, and why it cannot be cut into tiles.
    next_step : str
        What to do instead.

    Raises
    ------
    ResourceError
        If less than ``needed`` is free.

    Examples
    --------
    >>> require_memory("fuse", 10**6, "the spectrum of the whole image")
    """
    free = psutil.virtual_memory().available
    if needed > free:
        raise ResourceError(
            f"{method} needs {needed / 1e9:.1f} GB for this pair; {free / 1e9:.1f} GB are free.",
            why=why,
            next_step=next_step,
        )
