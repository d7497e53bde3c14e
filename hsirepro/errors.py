"""Errors that name the thing, the place and the next step.

Every error that a user can cause derives from :class:`HsireproError`. The first line of the
message says what is wrong; the lines after it, two spaces in, say where and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HsireproError(Exception):
    """Base of all errors raised on purpose by this package.

    Parameters
    ----------
    what : str
        One sentence: what is wrong, with the name of the thing.
    **hints : str
        Lines shown under it as ``label  text``; underscores in a label become spaces.

    Examples
    --------
    >>> print(HsireproError("'x.hdr' has no data file.", next_step="put x.img beside it"))
    'x.hdr' has no data file.
      next step  put x.img beside it
    """

    def __init__(self, what: str, **hints: str) -> None:
        width = max((len(label) for label in hints), default=0)
        lines = [f"  {label.replace('_', ' '):<{width}}  {text}" for label, text in hints.items()]
        super().__init__("\n".join([what, *lines]))


class SceneNotFound(HsireproError):  # noqa: N818 - reads as the sentence the user needs
    """A scene is neither a file nor in the catalogue, or its files are not on this machine."""


class HashMismatch(HsireproError):  # noqa: N818
    """A file is not the one that the catalogue describes."""


class FormatError(HsireproError):
    """A file cannot be read as the format it claims to be."""


class ParameterError(HsireproError, ValueError):
    """A parameter is unknown, of the wrong type, or impossible."""


class ShapeError(HsireproError, ValueError):
    """Arrays do not fit each other."""


class WavelengthError(HsireproError, ValueError):
    """Wavelengths are missing where they are needed, or do not cover what is asked."""


class PixelError(HsireproError, ValueError):
    """An image holds NaN or infinite pixels."""


class ResourceError(HsireproError):
    """A computation needs more memory than this machine has free."""


class RecordError(HsireproError):
    """A record is torn, altered, or cannot be written."""


def suggest(name: str, options: Iterable[str]) -> str:
    """Return the options nearest to ``name``, or all of them, as one line for an error.

    Examples
    --------
    >>> suggest("sede", ["seed", "scene", "sigma"])
    "did you mean 'seed'?"
    >>> suggest("zzz", ["seed", "scene"])
    'one of: scene, seed'
    """
    known = sorted(options)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "one of: " + ", ".join(known)
