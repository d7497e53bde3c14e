"""One finished cell of a table: its key and its content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import ParameterError, RecordError, suggest

PROFILES = ("paper", "quick", "smoke")
"""Profiles, best first."""

Array = NDArray[Any]


@dataclass(frozen=True, order=True)
class RecordKey:
    """Which cell of which table, computed how.

    Parameters
    ----------
    paper, table, scene, condition, method : str
        For example ``"hyconet"``, ``"II"``, ``"houston-2018-crop"``, ``"psf_sigma=0.5"``,
        ``"HyCoNet"``.
    profile : {"paper", "quick", "smoke"}
    seed : int

    Examples
    --------
    >>> key = RecordKey("hyconet", "II", "planted", "psf_sigma=0.5", "GSA", "smoke", 0)
    >>> print(key.path)
    hyconet/II/planted/psf_sigma=0.5/GSA--smoke--seed0.h5
    """

    paper: str
    table: str
    scene: str
    condition: str
    method: str
    profile: str
    seed: int

    def __post_init__(self) -> None:
        for name, value in self._names().items():
            if not isinstance(value, str) or not value.strip():
                raise ParameterError(
                    f"A record's {name} must be a name, not {value!r}.",
                    next_step=f"give {name} as a string with at least one letter",
                )
        if self.profile not in PROFILES:
            raise ParameterError(
                f"{self.profile!r} is not a profile.", next_step=suggest(self.profile, PROFILES)
            )
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise ParameterError(
                f"A record's seed must be a whole number from 0, not {self.seed!r}.",
                next_step="give seed=0",
            )

    def __str__(self) -> str:
        return f"{'/'.join(list(self._names().values())[:5])} ({self.profile}, seed {self.seed})"

    def _names(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if name != "seed"}

    @property
    def path(self) -> PurePosixPath:
        """Place of the record under the root of a store."""
        return PurePosixPath(pattern(**{name: slug(str(v)) for name, v in vars(self).items()}))


def pattern(
    *,
    paper: str = "*",
    table: str = "*",
    scene: str = "*",
    condition: str = "*",
    method: str = "*",
    profile: str = "*",
    seed: str = "*",
) -> str:
    """Return the place of the records with these slugs; ``*`` stands for any."""
    return f"{paper}/{table}/{scene}/{condition}/{method}--{profile}--seed{seed}.h5"


def slug(name: str) -> str:
    """Return ``name`` as part of a file name: itself where that is safe, else marked by a hash.

    Examples
    --------
    >>> slug("psf_sigma=0.5")
    'psf_sigma=0.5'
    >>> slug("sigma: 2"), slug("sigma? 2")  # alike, but two names
    ('sigma-2~3a3068ba', 'sigma-2~f0f66e76')
    """
    safe = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", name)[:80]
    if safe == name and not safe.startswith("."):
        return safe
    return f"{safe.lstrip('.')}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, eq=False)
class Record:
    """What one finished cell holds. What is given is checked and brought to its stored types.

    Parameters
    ----------
    key : RecordKey
    metrics : dict of float
        Such as ``{"mPSNR": 41.2}``. Infinite is allowed (PSNR of equal images), NaN is not.
    curves : dict of ndarray
        One array per curve, such as ``loss`` and ``iteration``; floats become float32.
    arrays : dict of ndarray
        Learned kernels, responses, spectra; floats become float32.
    images : dict of ndarray
        Small pictures, uint8 or uint16, shape (H, W) or (H, W, 3).
    settings : dict
        Every setting that was in force; what JSON can hold (tuples become lists).
    provenance : dict
        As :func:`hsirepro.records.provenance` returns it.

    Raises
    ------
    RecordError
        If a metric is NaN, an array is not numeric, a picture holds floats, or a setting is
        not JSON.
    """

    key: RecordKey
    metrics: Mapping[str, float]
    curves: Mapping[str, Array] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    images: Mapping[str, Array] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked = {
            "metrics": {n: self._metric(n, v) for n, v in sorted(self.metrics.items())},
            "curves": {n: self._array(n, v) for n, v in sorted(self.curves.items())},
            "arrays": {n: self._array(n, v) for n, v in sorted(self.arrays.items())},
            "images": {n: self._image(n, v) for n, v in sorted(self.images.items())},
            "settings": self._json("settings", self.settings),
            "provenance": self._json("provenance", self.provenance),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        mine, theirs = (
            [getattr(r, f.name) for f in dataclasses.fields(Record)] for r in (self, other)
        )
        return all(_same(a, b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]  # arrays cannot be hashed

    def _problem(self, what: str, next_step: str) -> RecordError:
        return RecordError(what, record=str(self.key), next_step=next_step)

    def _metric(self, name: str, value: float) -> float:
        self._name(name)
        number = float(value)
        if math.isnan(number):
            raise self._problem(
                f"Metric {name!r} is NaN.",
                "find out why; a cell that could not be computed has no record",
            )
        return number

    def _name(self, name: str) -> None:
        if not name or "/" in name or name in {".", ".."}:
            raise self._problem(
                f"{name!r} cannot name what a record holds.", "use a name without '/'"
            )

    def _array(self, name: str, value: Array) -> Array:
        self._name(name)
        array = np.asarray(value)
        if array.dtype.kind not in "iufb":
            raise self._problem(
                f"Array {name!r} has dtype {array.dtype}, which is not a number.",
                "store real numbers, and names under settings",
            )
        return array.astype("<f4") if array.dtype.kind == "f" else array

    def _image(self, name: str, value: Array) -> Array:
        self._name(name)
        image = np.asarray(value)
        if image.dtype not in (np.uint8, np.uint16):
            raise self._problem(
                f"Picture {name!r} has dtype {image.dtype}; records hold 8- or 16-bit pictures.",
                "scale it to 0..255 and store uint8, or 0..65535 and uint16",
            )
        if image.ndim != 2 and image.shape[2:] != (3,):
            raise self._problem(
                f"Picture {name!r} has shape {image.shape}.", "store (H, W) or (H, W, 3)"
            )
        return image

    def _json(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        try:
            plain: dict[str, Any] = json.loads(canonical_json(value))
        except TypeError as error:
            raise self._problem(
                f"The {name} hold something that JSON cannot: {error}.",
                "store numbers, strings, lists and dicts of them",
            ) from error
        return plain


def canonical_json(value: Mapping[str, Any]) -> str:
    """Write ``value`` as JSON with sorted keys; numpy numbers become Python numbers."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__}")


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        floats = a.dtype.kind == "f"
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=floats)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    return a == b
