"""Spectral libraries: USGS splib07 read from any of its forms, chosen from, and resampled.

A library is a DataArray of reflectance with the dimensions ``(spectrum, wavelength)``. Its
coordinates are ``title``, as USGS names its files without what stands before and after
(``Brick_GDS347_Paving_Tan_ASDFRa_AREF``: sample, spectrometer with a letter for purity, kind of
measurement), ``chapter`` (A artificial, C coatings, L liquids, M minerals, O organic, S soils,
V vegetation; empty where the file does not say), ``wavelength`` in nm and ``fwhm`` in nm. Deleted
channels are NaN.

AVIRIS has four spectrometers whose ranges overlap, so its band centres step back three times.
The channels stay in the sensor's order, which is that of its images.

References
----------
.. [1] R. F. Kokaly et al., "USGS Spectral Library Version 7", USGS Data Series 1035, 2017.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import FormatError, ParameterError, SceneNotFound, WavelengthError
from hsirepro.scenes.locate import data_folders

USGS_AVIRIS = "usgs_splib07_aviris2014.npz"
NM = 1000.0  # in a micrometre
DELETED = -1e30  # USGS writes -1.23e34
SIGMAS = 5.0  # of a band, beyond which it sees nothing
LEAST_SEEN = 0.5  # of a band's weight that must fall on valid channels
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))  # of a Gaussian, over its standard deviation

# What USGS writes in file names for what a file name cannot hold.
_IN_FILE_NAMES = str.maketrans({"<": "lt", ">": "gt", "/": "-"})
_CONSTRUCTS = re.compile(r"LawnGrass.GDS91b.*(?:shf|shift|const)", re.IGNORECASE)
_ASIDE = re.compile(r"^(?:Wavelengths|Resolution|error bars)", re.IGNORECASE)
_BEFORE = re.compile(r"^(?:splib07[ab]|s07_[A-Z0-9]+)_")
_TITLE = re.compile(r"Record=\d+:\s*(?P<title>.+?)\s*$")

Floats = NDArray[np.float64]


def make_library(
    reflectance: ArrayLike,
    titles: Sequence[str],
    wavelength: ArrayLike,
    fwhm: ArrayLike | None = None,
    chapters: Sequence[str] | None = None,
) -> xr.DataArray:
    """Return spectra as a library.

    Parameters
    ----------
    reflectance : array_like, shape (n, L)
        Unitless; NaN or -1.23e34 where a channel was deleted.
    titles : sequence of str
        Written as file names are: blanks become underscores, ``<`` becomes ``lt``.
    wavelength, fwhm : array_like, shape (L,)
        Band centres and widths in nm.
    chapters : sequence of str, optional
        A letter each.

    Raises
    ------
    FormatError
        If the sizes do not fit each other.
    """
    spectra = np.array(reflectance, dtype=np.float64)
    centres = np.asarray(wavelength, dtype=np.float64)
    if spectra.shape != (len(titles), len(centres)):
        raise FormatError(
            f"{len(titles)} titles and {len(centres)} wavelengths do not fit spectra of shape "
            f"{spectra.shape}."
        )
    spectra[spectra < DELETED] = np.nan
    names = [re.sub(r"\s+", "_", title.strip()).translate(_IN_FILE_NAMES) for title in titles]
    widths = np.full(len(centres), np.nan) if fwhm is None else np.asarray(fwhm, dtype=np.float64)
    return xr.DataArray(
        spectra,
        dims=("spectrum", "wavelength"),
        coords={
            "title": ("spectrum", np.array(names, dtype=np.str_)),
            "chapter": ("spectrum", np.array(list(chapters or [""] * len(names)), dtype=np.str_)),
            "wavelength": ("wavelength", centres, {"units": "nm"}),
            "fwhm": ("wavelength", widths, {"units": "nm"}),
        },
        name="reflectance",
        attrs={"units": "reflectance"},
    )


def usgs_library() -> xr.DataArray:
    """Open splib07 at the 224 bands of AVIRIS in 2014, from the folders of ``HSIREPRO_DATA``.

    Raises
    ------
    SceneNotFound
        If it is not on this machine.
    """
    folders = data_folders()
    for folder in folders:
        for path in (folder / "libraries" / USGS_AVIRIS, folder / USGS_AVIRIS):
            if path.is_file():
                return open_library(path)
    raise SceneNotFound(
        "The USGS spectral library is not on this machine.",
        looked_in=", ".join(str(folder / "libraries") for folder in folders) or "HSIREPRO_DATA",
        needs=USGS_AVIRIS,
        next_step="or open the folder of ASCII files from doi:10.5066/F7RR1WDJ: "
        "open_library('ASCIIdata_splib07b_cvAVIRISc2014')",
    )


def open_library(path: str | os.PathLike[str]) -> xr.DataArray:
    """Open a spectral library.

    Parameters
    ----------
    path : str or path
        A folder of the official ASCII files with its lists of wavelengths and widths; an ENVI
        spectral library, ``.sli`` or its ``.hdr``; or an ``.npz`` with ``reflectance``,
        ``wavelength_um``, ``name``, ``spectrometer``, ``purity``, ``kind`` and ``chapter``.

    Returns
    -------
    DataArray, dims (spectrum, wavelength)
        See the head of this module. Error bars and the lists themselves are left out.

    Raises
    ------
    SceneNotFound
        If nothing is there.
    FormatError
        If it is no library, or a damaged one.
    """
    place = Path(path)
    if not place.exists():
        raise SceneNotFound(f"There is no spectral library {str(place)!r}.")
    if place.is_dir():
        return _read_ascii(place)
    readers = {".npz": _read_arrays, ".sli": _read_envi, ".hdr": _read_envi}
    if place.suffix.lower() not in readers:
        raise FormatError(
            f"{place.name!r} is no spectral library that can be read.",
            next_step="give a folder of ASCII files, a .sli or an .npz",
        )
    return readers[place.suffix.lower()](place)


def resample(library: xr.DataArray, wavelength: ArrayLike, fwhm: ArrayLike) -> xr.DataArray:
    """Bring a library to the bands of another sensor, as USGS does.

    A band sees the library through a Gaussian whose width, squared, is that of the band less that
    of the library's own channels. Where the band is not wider than they are, its nearest channel
    is taken. A band of which less than half falls on valid channels is NaN.

    Parameters
    ----------
    library : DataArray, dims (spectrum, wavelength)
        With ``fwhm``.
    wavelength, fwhm : array_like, shape (L,)
        Band centres and full widths at half maximum in nm.

    Returns
    -------
    DataArray, dims (spectrum, wavelength)

    Raises
    ------
    WavelengthError
        If the library has no widths, or a band lies outside the library.
    """
    centres, widths = (np.asarray(v, dtype=np.float64).ravel() for v in (wavelength, fwhm))
    order = np.argsort(library.wavelength.values, kind="stable")
    source = library.isel(wavelength=order)
    _check_cover(source, centres, widths)
    weights = _weights(source.wavelength.values, source.fwhm.values, centres, widths)
    spectra = source.values
    valid = np.isfinite(spectra)
    seen = valid @ weights.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mixed = np.where(valid, spectra, 0.0) @ weights.T / seen
    mixed[seen < LEAST_SEEN] = np.nan
    return make_library(
        mixed, source.title.values.tolist(), centres, widths, source.chapter.values.tolist()
    )


def complete(library: xr.DataArray) -> xr.DataArray:
    """Return the spectra without a deleted channel."""
    return library.isel(spectrum=np.isfinite(library.values).all(axis=1))


def without_constructs(library: xr.DataArray) -> xr.DataArray:
    """Return the library without what was never measured.

    Five entries of splib07, made of the lawn ``LawnGrass_GDS91b``, are there to try programs out:
    its spectrum shifted by 3 nm, with 1 added, and ratios of such.
    """
    return library.isel(
        spectrum=[not _CONSTRUCTS.search(title) for title in library.title.values.tolist()]
    )


def _weights(source: Floats, own: Floats, centres: Floats, widths: Floats) -> Floats:
    """Return what each band takes of each channel, shape (bands, channels), summing to one."""
    nearest = np.abs(centres[:, None] - source).argmin(axis=1)
    squared = widths**2 - own[nearest] ** 2
    sigma = np.sqrt(np.maximum(squared, 1e-12)) / _FWHM
    away = (source - centres[:, None]) / sigma[:, None]
    weights = np.exp(-0.5 * away**2) * np.gradient(source)
    weights[np.abs(away) > SIGMAS] = 0.0
    narrow = (squared <= 0) | (weights.sum(axis=1) <= 0)
    weights[narrow] = np.eye(len(source))[nearest[narrow]]
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _check_cover(library: xr.DataArray, centres: Floats, widths: Floats) -> None:
    nm = library.wavelength.values
    if not np.isfinite(library.fwhm.values).all():
        raise WavelengthError(
            "The library does not say how wide its channels are.",
            next_step="make_library(..., fwhm=...), in nm",
        )
    if centres.shape != widths.shape or not (widths > 0).all():
        raise ParameterError(
            f"{len(centres)} band centres need as many widths above 0; {len(widths)} are given."
        )
    outside = centres[(centres < nm[0]) | (centres > nm[-1])]
    if len(outside):
        raise WavelengthError(
            f"{len(outside)} bands lie outside the library, the first at {outside[0]:g} nm.",
            library=f"{nm[0]:g} to {nm[-1]:g} nm",
            next_step="leave these bands out, or take another library",
        )


def _read_arrays(path: Path) -> xr.DataArray:
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = [stored[name] for name in ("name", "spectrometer", "purity", "kind")]
            titles = [f"{n} {s}{p} {k}" for n, s, p, k in zip(*parts, strict=True)]
            width = next(name for name in stored.files if name.startswith("fwhm_um"))
            return make_library(
                stored["reflectance"],
                titles,
                NM * stored["wavelength_um"].astype(np.float64),
                NM * stored[width].astype(np.float64),
                stored["chapter"].tolist(),
            )
    except (KeyError, ValueError, OSError, StopIteration) as error:
        raise FormatError(
            f"{path.name!r} holds no spectral library: {error or 'fwhm_um is missing'}."
        ) from error


def _read_envi(path: Path) -> xr.DataArray:
    from spectral.io import envi  # only who reads ENVI needs it

    header, raster = path.with_suffix(".hdr"), path.with_suffix(".sli")
    try:
        stored = envi.open(str(header), str(raster))
        spectra, names = np.asarray(stored.spectra, dtype=np.float64), stored.names
    except Exception as error:  # the library raises whatever the bytes provoke
        raise FormatError(f"{path.name!r} is no ENVI spectral library: {error}") from error
    kept = [row for row, name in enumerate(names) if not _ASIDE.match(name)]
    unit = stored.bands.band_unit or ""
    times = 1.0 if unit.lower().startswith("nano") else NM
    widths = stored.bands.bandwidths
    return make_library(
        spectra[kept],
        [names[row] for row in kept],
        times * np.asarray(stored.bands.centers),
        None if widths is None else times * np.asarray(widths),
    )


def _read_ascii(folder: Path) -> xr.DataArray:
    """Read a folder of the official release that has one list of wavelengths and one of widths."""
    files = sorted(folder.rglob("*.txt"))
    wavelengths = [file for file in files if "wavelengths" in file.name.lower()]
    widths = [f for f in files if re.search(r"resolution|bandpass", f.name, re.IGNORECASE)]
    if len(wavelengths) != 1 or len(widths) != 1:
        raise FormatError(
            f"{folder.name!r} has {len(wavelengths)} lists of wavelengths and {len(widths)} of "
            "widths; one of each is needed.",
            next_step="give the folder of one sensor, such as ASCIIdata_splib07b_cvAVIRISc2014",
        )
    nm, fwhm = (NM * _column(file) for file in (*wavelengths, *widths))
    spectra, titles, chapters = [], [], []
    for file in files:
        if file in (*wavelengths, *widths) or file.name.startswith("errorbars"):
            continue
        if not _TITLE.search(file.open(encoding="latin-1").readline()):
            continue  # no spectrum: a list or a note of the release
        column = _column(file)
        if len(column) != len(nm):
            raise FormatError(
                f"{file.name!r} has {len(column)} channels, the list of wavelengths {len(nm)}."
            )
        spectra.append(column)
        titles.append(_BEFORE.sub("", file.stem))
        chapter = re.match(r"Chapter([A-Z])", file.parent.name)
        chapters.append(chapter[1] if chapter else "")
    if not spectra:
        raise FormatError(f"{folder.name!r} holds no spectrum of the USGS library.")
    return make_library(np.stack(spectra), titles, nm, fwhm, chapters)


def _column(file: Path) -> Floats:
    """Return the numbers below the head line of a file of the release."""
    lines = file.read_text(encoding="latin-1").split("\n")[1:]
    try:
        return np.array([float(line) for line in lines if line.strip()])
    except ValueError as error:
        raise FormatError(f"{file.name!r} is no column of numbers: {error}.") from error
