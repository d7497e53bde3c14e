"""``open_scene``: a catalogue name or a file in, a labelled cube out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsirepro.errors import (
    FormatError,
    ParameterError,
    SceneNotFound,
    ShapeError,
    suggest,
)
from hsirepro.scenes.catalogue import CATALOGUE, PaperChoice, SceneEntry, SceneFile, expand_bands
from hsirepro.scenes.cube import has_wavelengths, make_cube, placed_as
from hsirepro.scenes.locate import check_hash, locate, sha256_of
from hsirepro.scenes.readers import read
from hsirepro.scenes.readers.stored import Array, Stored, usable_scale
from hsirepro.scenes.wavelengths import Wavelengths, given_wavelengths

PLANTED_SIZE = 48  # pixels a side: small enough that a chapter trains on it in seconds


def open_scene(
    scene: str | os.PathLike[str],
    *,
    key: str | None = None,
    wavelengths: Wavelengths | None = None,
    scale: float | None = None,
    paper: str | None = None,
    download: bool = True,
) -> xr.DataArray:
    """Open a scene of the catalogue or a file of your own.

    Parameters
    ----------
    scene : str or path
        A catalogue name, ``"SET/MEMBER"`` for one cube of a set, or the path of a MATLAB, ENVI
        (header or data), GeoTIFF, NetCDF, HDF5, npy or npz file. A name of the catalogue wins over
        a file of the same name; write ``./name`` for the file.
    key : str, optional
        Variable inside your own file, needed where more than one could be the cube.
    wavelengths : sequence of float, or path, optional
        Band centres in nm, one per stored band, or a text file with one per line (its first
        column). Replaces what the file or the catalogue says.
    scale : float, optional
        Stored values are divided by it; replaces what the file or the catalogue says.
    paper : str, optional
        Apply the crop and bands that this paper used, such as ``"hyconet"``.
    download : bool
        Whether missing files of the catalogue may be downloaded.

    Returns
    -------
    xarray.DataArray, dims (y, x, wavelength)
        float32; attributes ``units``, ``sensor``, ``source``, ``sha256`` (of the file with the
        pixels), ``bad_bands``, and what the catalogue adds: ``title``, ``licence``, ``gsd_m``,
        ``wavelength_note``, ``standin_for``. Bands stay in stored order, also where the
        wavelengths of overlapping AVIRIS spectrometers step back. Stored "no data" becomes NaN.
        Where the file lies on a map, ``x`` and ``y`` are the pixel centres in its units, and a
        file of your own keeps the text of its coordinate system in ``crs``.

    Raises
    ------
    SceneNotFound
        If there is no such scene or file, or it cannot be had.
    HashMismatch
        If a file of the catalogue is not the one it describes.
    FormatError
        If a file cannot be read.
    ParameterError, WavelengthError, ShapeError
        If an argument does not fit the scene.

    Examples
    --------
    >>> cube = open_scene("planted")
    >>> cube.dims, str(cube.dtype)
    (('y', 'x', 'wavelength'), 'float32')
    """
    _check_scale(scale)
    centres = None if wavelengths is None else given_wavelengths(wavelengths)
    entry, member = _resolve(scene)
    if entry is None:
        if paper is not None:
            raise ParameterError(
                f"paper={paper!r} is known for scenes of the catalogue, not for files.",
                scene=str(scene),
                next_step="leave paper out, or crop the cube with .isel(y=..., x=...)",
            )
        return _open_file(Path(scene), key, centres, scale)
    if key is not None:
        raise ParameterError(
            f"key={key!r} cannot be combined with the catalogue scene {entry.name!r}.",
            next_step="open the file by its path to choose a variable in it",
        )
    if entry.kind == "planted":
        return _open_planted(centres, scale, paper)
    choice = _paper_choice(entry, paper)
    cube = _open_entry(entry, member, centres, scale, download)
    return cube if choice is None else _apply(choice, cube, str(paper), keep=centres is not None)


def _resolve(scene: str | os.PathLike[str]) -> tuple[SceneEntry | None, SceneFile | None]:
    """Return the catalogue entry and member that ``scene`` names, or ``(None, None)``: a file."""
    name = os.fspath(scene)
    if isinstance(scene, str):
        if name in CATALOGUE:
            return CATALOGUE[name], None
        head, _, tail = name.partition("/")
        if tail and head in CATALOGUE and CATALOGUE[head].kind == "set":
            members = CATALOGUE[head].members()
            if tail in members:
                return CATALOGUE[head], members[tail]
            raise SceneNotFound(
                f"The set {head!r} has no member {tail!r}.", nearest=suggest(tail, members)
            )
    if Path(name).is_file():
        return None, None
    plain_word = not Path(name).exists() and not Path(name).suffix and os.sep not in name
    if isinstance(scene, str) and plain_word:
        CATALOGUE[name]  # raises, with close matches
    problem = "is a folder, not a file" if Path(name).is_dir() else "does not exist"
    raise SceneNotFound(
        f"The file {name!r} {problem}.",
        looked_in=str(Path(name).absolute().parent),
        next_step="give the path of a cube, or a name from 'hsirepro scenes'",
    )


def _check_scale(scale: float | None) -> None:
    if scale is None:
        return
    if isinstance(scale, bool) or not isinstance(scale, int | float | np.number):
        raise ParameterError(f"scale={scale!r} must be a number, not {type(scale).__name__}.")
    if not usable_scale(float(scale) if isinstance(scale, np.number) else scale):
        shown = f"{scale:g}" if isinstance(scale, float) else str(scale)[:40]
        raise ParameterError(
            f"scale={shown} must be positive and finite, also in single precision; stored values "
            "are divided by it.",
            next_step="scale=10000 for reflectance stored as counts, or leave it out",
        )


def _open_planted(centres: Array | None, scale: float | None, paper: str | None) -> xr.DataArray:
    if centres is not None or scale is not None or paper is not None:
        raise ParameterError(
            "The planted scene knows its wavelengths and scale, and no paper uses it.",
            next_step="call hsirepro.scenes.simulate to make another one",
        )
    from hsirepro.scenes.simulate import simulate

    return simulate(size=PLANTED_SIZE, seed=0).cube


def _open_file(
    path: Path, key: str | None, centres: Array | None, scale: float | None
) -> xr.DataArray:
    """Open a user's own file, with what the file itself says."""
    stored = read(path, key)
    return _label(
        stored,
        path,
        centres if centres is not None else stored.wavelengths,
        scale,
        units=stored.units if scale is None else f"stored value / {scale:g}",
        source=path.name,
        sha256=sha256_of(stored.pixel_file or path),
        bad_bands=stored.bad_bands,
        **stored.attrs,
    )


def _label(
    stored: Stored, path: Path, centres: Array | None, scale: float | None, **attrs: Any
) -> xr.DataArray:
    """Decode the stored values and label them."""
    if stored.values.ndim != 3 or 0 in stored.values.shape:
        raise FormatError(
            f"The array in '{path.name}' has shape {stored.values.shape}, "
            "not (rows, columns, bands).",
            file=str(path),
            next_step="choose another key, or store the cube as rows x columns x bands",
        )
    shape = stored.values.shape
    if centres is not None and len(centres) != shape[2]:
        step = "give one wavelength per stored band, in nm"
        if len(centres) in shape[:2]:
            axis = shape.index(len(centres)) + 1
            step = f"its {len(centres)} centres fit axis {axis}: store the cube as rows x columns x"
            step += " bands"
        raise ShapeError(
            f"{len(centres)} wavelengths were given for {shape[2]} bands.",
            scene=str(attrs["source"]),
            next_step=step,
        )
    cube = make_cube(stored.decoded(scale), centres, **attrs)
    places = {"y": stored.y, "x": stored.x}
    return cube.assign_coords(
        {
            axis: (axis, place)
            for axis, place in places.items()
            if place is not None and len(place) == cube.sizes[axis]
        }
    )


def _open_entry(
    entry: SceneEntry,
    member: SceneFile | None,
    centres: Array | None,
    scale: float | None,
    download: bool,
) -> xr.DataArray:
    """Open a scene of the catalogue, with what the catalogue says."""
    wanted = _wanted(entry, member)
    places = locate(entry.name, download=download, files=wanted)
    hashes = {
        file.role: check_hash(file, place) for file, place in zip(wanted, places, strict=True)
    }
    path = next(p for f, p in zip(wanted, places, strict=True) if f.role == "cube")
    stored = _arranged(read(path, entry.key), entry)
    if centres is None:
        centres = np.array(entry.wavelengths) if entry.wavelengths else stored.wavelengths
    shape = stored.values.shape
    if member is None and shape != entry.shape:
        raise FormatError(
            f"{entry.name!r} has shape {shape}, the catalogue says {entry.shape}.",
            file=str(path),
            next_step="check that this is the file that the catalogue describes",
        )
    extra = {"gsd_m": entry.gsd_m, "licence": entry.licence, "standin_for": entry.standin_for}
    extra |= {"wavelength_note": entry.wavelength_note, "citation": entry.citation}
    return _label(
        stored,
        path,
        centres,
        scale if scale is not None else entry.scale,
        units=entry.units if scale is None else f"stored value / {scale:g}",
        sensor=entry.sensor,
        source=entry.name if member is None else f"{entry.name}/{Path(member.name).stem}",
        sha256=hashes["cube"],
        bad_bands=entry.bad_bands or stored.bad_bands,
        title=entry.title,
        **{name: value for name, value in extra.items() if value},
    )


def _wanted(entry: SceneEntry, member: SceneFile | None) -> tuple[SceneFile, ...]:
    """Return the files to open; a whole set, or a set of RGB images, is not one cube."""
    if member is not None:
        return (member,)
    if entry.kind == "cube":
        return entry.needed
    members = entry.members()
    if members:
        step = f"open_scene('{entry.name}/{next(iter(members))}'), one of {len(members)} members"
    elif entry.kind == "rgb":
        step = f"hsirepro.scenes.locate.locate({entry.name!r}) gives the places of its images"
    else:
        step = f"get it from {entry.page or 'its authors'} and open one cube by its path"
    what = "a set of RGB images" if entry.kind == "rgb" else "a set of many cubes"
    raise SceneNotFound(f"{entry.name!r} is {what}, not one cube.", next_step=step)


def _arranged(stored: Stored, entry: SceneEntry) -> Stored:
    """Bring the stored array to (H, W, C) with the bands of the scene."""
    values = stored.values
    if entry.layout == "bands x pixels":
        rows, cols, bands = entry.shape
        if values.shape != (bands, rows * cols):
            raise FormatError(
                f"{entry.name!r} should be stored as {bands} x {rows * cols}, "
                f"the file has {values.shape}."
            )
        values = values.T.reshape(rows, cols, bands, order="F")
    stored = replace(stored, values=values)
    if entry.take_bands is None or values.ndim != 3:
        return stored
    kept = expand_bands(entry.take_bands, values.shape[2])
    centres = None if stored.wavelengths is None else stored.wavelengths[kept]
    bad = _renumbered(stored.bad_bands, kept)
    return replace(stored, values=values[:, :, kept], wavelengths=centres, bad_bands=bad)


def _renumbered(bad_bands: Iterable[int], kept: Sequence[int]) -> tuple[int, ...]:
    """Return the indices that bad bands have among the ``kept`` ones."""
    bad = set(bad_bands)
    return tuple(new for new, old in enumerate(kept) if old in bad)


def _paper_choice(entry: SceneEntry, paper: str | None) -> PaperChoice | None:
    if paper is None:
        return None
    if paper not in entry.paper:
        papers = ", ".join(entry.paper) or "none"
        raise ParameterError(
            f"The catalogue knows no choice of paper {paper!r} for {entry.name!r}.",
            papers=f"{papers} for this scene",
            next_step="leave paper out to open the whole scene",
        )
    return entry.paper[paper]


def _apply(choice: PaperChoice, cube: xr.DataArray, paper: str, keep: bool) -> xr.DataArray:
    """Cut ``cube`` as ``paper`` did; ``keep`` leaves the user's own wavelengths alone."""
    bands = expand_bands(choice.bands, cube.sizes["wavelength"])
    part = cube.isel(
        y=slice(*(choice.rows or (None, None))),
        x=slice(*(choice.cols or (None, None))),
        wavelength=bands,
    )
    bad = _renumbered(cube.attrs["bad_bands"], bands)
    centres: Array | None = part.wavelength.values if has_wavelengths(cube) else None
    if choice.wavelengths and not keep:
        centres = np.array(choice.wavelengths)
    attrs = {**cube.attrs, "bad_bands": bad, "paper": paper, "paper_note": choice.note}
    return placed_as(make_cube(part.values, centres, **attrs), part)
