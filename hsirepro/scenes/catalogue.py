"""The catalogue: what is known about each scene before a single file is opened.

``catalogue.toml`` is written to be read by hand; this module turns it into frozen dataclasses.
Neither torch nor xarray is imported here, so that listing scenes is quick.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from hsirepro.errors import SceneNotFound, suggest

Ranges = tuple[tuple[int, int], ...]

DATA_ROLES = ("cube", "header")
"""Roles of the files without which a scene cannot be opened."""


@dataclass(frozen=True)
class SceneFile:
    """One file of a scene.

    Parameters
    ----------
    path : str
        Place relative to a data folder, with ``/``.
    role : str
        ``"cube"``, ``"header"``, ``"labels"``, ``"rgb"`` ...; scenes open from cube and header.
    bytes : int or None
        Size; ``None`` where it is not known.
    sha256 : str
        Hexadecimal digest; empty where it is not known, and then the file is never downloaded.
    url : str
        Direct address; empty where there is none.
    """

    path: str
    role: str = "cube"
    bytes: int | None = None
    sha256: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """The file name without folders."""
        return self.path.rsplit("/", 1)[-1]

    def describe(self) -> str:
        """Return name, size and the head of the hash, as errors show them.

        Examples
        --------
        >>> SceneFile("a/PaviaU.mat", bytes=34806917, sha256="28447fa87f7a").describe()
        'PaviaU.mat (34.8 MB, sha256 28447fa8...)'
        """
        known = [] if self.bytes is None else [f"{self.bytes / 1e6:.1f} MB"]
        known += [f"sha256 {self.sha256[:8]}..."] if self.sha256 else []
        return f"{self.name} ({', '.join(known)})" if known else self.name


@dataclass(frozen=True)
class PaperChoice:
    """The part of a scene that a paper used.

    Parameters
    ----------
    rows, cols : tuple of int or None
        0-based half-open range; ``None`` keeps all.
    bands : tuple of (int, int) or None
        0-based half-open ranges of stored bands; ``None`` keeps all.
    wavelengths : tuple of float
        Band centres in nm that the paper's code assumes for the kept bands; empty where it does
        not differ from the scene's own.
    note : str
        Where the choice comes from, and what of it is inferred.
    """

    rows: tuple[int, int] | None = None
    cols: tuple[int, int] | None = None
    bands: Ranges | None = None
    wavelengths: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ReferenceKeys:
    """Where the reference unmixing of a scene is.

    Parameters
    ----------
    names : tuple of str
        The materials, in the order of the file.
    endmembers, abundances : str
        Variables of the file of role ``"reference"``, or of the cube's where there is none.
    """

    names: tuple[str, ...]
    endmembers: str
    abundances: str


@dataclass(frozen=True)
class SceneEntry:
    """What the catalogue says about one scene; see the head of ``catalogue.toml``."""

    name: str
    title: str
    sensor: str
    kind: str = "cube"
    gsd_m: float | None = None
    shape: tuple[int, ...] = ()
    key: str | None = None
    layout: str = "rows x cols x bands"
    take_bands: Ranges | None = None
    wavelengths: tuple[float, ...] = ()
    wavelength_note: str = ""
    bad_bands: tuple[int, ...] = ()
    units: str = "unknown"
    scale: float | None = None
    licence: str = "unknown"
    citation: str = ""
    note: str = ""
    page: str = ""
    standin_for: str = ""
    files: tuple[SceneFile, ...] = ()
    paper: Mapping[str, PaperChoice] = field(default_factory=dict)
    reference: ReferenceKeys | None = None

    @property
    def bands(self) -> int | None:
        """Number of bands of an opened cube; ``None`` where it is not known."""
        return self.shape[-1] if self.shape else None

    @property
    def needed(self) -> tuple[SceneFile, ...]:
        """The files without which the scene cannot be opened (all of them for a set)."""
        if self.kind != "cube":
            return self.files
        return tuple(f for f in self.files if f.role in DATA_ROLES)

    def members(self) -> dict[str, SceneFile]:
        """Return the cubes of a set by member name; empty for a single cube.

        Examples
        --------
        >>> "MLBS_1" in CATALOGUE["neon-idtrees"].members()
        True
        """
        if self.kind == "cube":
            return {}
        return {f.name.rsplit(".", 1)[0]: f for f in self.files if f.role == "cube"}


def expand_bands(ranges: Ranges | None, count: int) -> list[int]:
    """Return the band indices in half-open ``ranges``, or all ``count`` where it is ``None``.

    Examples
    --------
    >>> expand_bands(((0, 2), (4, 6)), 9)
    [0, 1, 4, 5]
    """
    if ranges is None:
        return list(range(count))
    return [band for first, end in ranges for band in range(first, end)]


def _ranges(value: Iterable[Iterable[int]] | None) -> Ranges | None:
    if value is None:
        return None
    pairs = [tuple(pair) for pair in value]
    return tuple((first, end) for first, end in pairs)


def _pair(value: list[int] | None) -> tuple[int, int] | None:
    return None if value is None else (value[0], value[1])


def _wavelengths(spec: Any, grids: Mapping[str, Any]) -> tuple[float, ...]:
    """Expand the three ways in which the file writes band centres (see its head)."""
    if spec is None:
        return ()
    if isinstance(spec, list):
        if spec and isinstance(spec[0], dict):
            return tuple(value for part in spec for value in _wavelengths(part, grids))
        return tuple(float(value) for value in spec)
    if "grid" in spec:
        grid = _wavelengths(grids[spec["grid"]], grids)
        return tuple(grid[band] for band in expand_bands(_ranges(spec.get("keep")), len(grid)))
    first, last, count = float(spec["first"]), float(spec["last"]), int(spec["count"])
    step = (last - first) / (count - 1)
    return tuple(round(first + step * band, 4) for band in range(count))


def _files(table: Mapping[str, Any]) -> tuple[SceneFile, ...]:
    """Return the files of one scene: those written in it, then those of its list in ``sets/``."""
    rows: list[Mapping[str, Any]] = list(table.get("files", []))
    if "members" in table:
        text = (package_files("hsirepro.scenes") / "sets" / table["members"]).read_text("utf-8")
        rows += list(csv.DictReader(line for line in text.splitlines() if line[:1] != "#"))
    root = table.get("url_root", "")
    return tuple(
        SceneFile(
            path=row["path"],
            role=row.get("role", "cube"),
            bytes=int(row["bytes"]) if "bytes" in row else None,
            sha256=row.get("sha256", ""),
            url=root + row["url"] if row.get("url") else "",
        )
        for row in rows
    )


def _reference(table: Mapping[str, Any] | None) -> ReferenceKeys | None:
    if table is None:
        return None
    return ReferenceKeys(tuple(table["names"]), table["endmembers"], table["abundances"])


def _paper(table: Mapping[str, Any], grids: Mapping[str, Any]) -> PaperChoice:
    return PaperChoice(
        rows=_pair(table.get("rows")),
        cols=_pair(table.get("cols")),
        bands=_ranges(table.get("bands")),
        wavelengths=_wavelengths(table.get("wavelengths"), grids),
        note=table.get("note", ""),
    )


_COPIED: tuple[str, ...] = (
    "title",
    "sensor",
    "kind",
    "gsd_m",
    "key",
    "layout",
    "wavelength_note",
    "units",
    "scale",
)
_COPIED += ("licence", "citation", "note", "page", "standin_for")


def _entry(name: str, table: Mapping[str, Any], grids: Mapping[str, Any]) -> SceneEntry:
    return SceneEntry(
        name=name,
        shape=tuple(table.get("shape", ())),
        take_bands=_ranges(table.get("take_bands")),
        wavelengths=_wavelengths(table.get("wavelengths"), grids),
        bad_bands=tuple(expand_bands(_ranges(table.get("bad_bands", [])), 0)),
        files=_files(table),
        paper={paper: _paper(part, grids) for paper, part in table.get("paper", {}).items()},
        reference=_reference(table.get("reference")),
        **{item: table[item] for item in _COPIED if item in table},
    )


@cache
def _load() -> dict[str, SceneEntry]:
    text = (package_files("hsirepro.scenes") / "catalogue.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    grids = tables.pop("grids")
    return {name: _entry(name, table, grids) for name, table in tables.items()}


class Catalogue(Mapping[str, SceneEntry]):
    """All scenes by name, in the order of the file, read when first used."""

    def __getitem__(self, name: str) -> SceneEntry:
        """Return the entry of ``name``.

        Raises
        ------
        SceneNotFound
            If there is none; close matches are offered.
        """
        scenes = _load()
        if name not in scenes:
            raise SceneNotFound(
                f"There is no scene {name!r} in the catalogue.",
                nearest=suggest(name, scenes),
                next_step="'hsirepro scenes' lists all; a file of your own is given by its path",
            )
        return scenes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_load())

    def __len__(self) -> int:
        return len(_load())

    def __contains__(self, name: object) -> bool:
        return name in _load()


CATALOGUE = Catalogue()
