"""Figures of a spectral library: what is in it, and the light that images seen through it tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.style import (
    book_style,
    line_look,
    new_figure,
    palette,
    room_for_titles,
    spectrum_with_gaps,
)

CHAPTERS = {
    "A": "artificial",
    "C": "coatings",
    "L": "liquids",
    "M": "minerals",
    "O": "organic",
    "S": "soils",
    "V": "vegetation",
    "": "all",
}
GASES = {760.0: "O₂", 940.0: "H₂O", 1130.0: "H₂O", 2010.0: "CO₂"}
"""Where gases of the air take light, in nm, as far as bands are left there."""
MIDDLE, MOST = 50, (5, 95)  # percentiles
NM = "Wavelength (nm)"


@book_style
def plot_library(library: xr.DataArray) -> Figure:
    """Draw each chapter of a library: the median, and what nine of ten spectra lie within.

    Parameters
    ----------
    library : DataArray, dims (spectrum, wavelength)
        Reflectance; spectra of an unnamed chapter share a panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    chapters = sorted(set(library.chapter.values.tolist()))
    figure = new_figure(2.4)
    room_for_titles(figure)
    grid = figure.subplots(1, len(chapters), squeeze=False, sharey=True)[0]
    nm = library.wavelength.values
    for axes, chapter in zip(grid, chapters, strict=True):
        spectra = library.values[library.chapter.values == chapter]
        low, middle, high = np.percentile(spectra, (MOST[0], MIDDLE, MOST[1]), axis=0)
        x, lower = spectrum_with_gaps(nm, low)
        axes.fill_between(x, lower, spectrum_with_gaps(nm, high)[1], color="0.8", linewidth=0)
        axes.plot(*spectrum_with_gaps(nm, middle), color=palette()[0], linewidth=1.2)
        axes.set_title(f"{CHAPTERS.get(chapter, chapter)}, {len(spectra)}")
        axes.set_xlabel(NM if len(chapters) == 1 else "nm")
    grid[0].set_ylabel("Reflectance (unitless)")
    return figure


@book_style
def plot_light(records: Sequence[Record]) -> Figure:
    """Draw the factor t that images of one kind told, from several starts, over the Sun's light.

    Parameters
    ----------
    records : sequence of Record
        Of the study ``spans``, of one set of images.

    Returns
    -------
    matplotlib.figure.Figure
        Each curve over its own mean: t has the unit of the counts over reflectance. Dotted lines
        are where gases of the air take light, within the bands.

    Raises
    ------
    ParameterError
        If there are no records.
    RecordError
        If one of them holds no such curves.
    """
    if not records:
        raise ParameterError("There is no light to draw.", next_step="hsirepro run inss ...")
    figure = new_figure(3.2)
    axes = figure.subplots()
    for number, record in enumerate(records):
        require(record, "arrays", ["wavelength", "atmosphere"], "what the library spans")
        nm, t = record.arrays["wavelength"], record.arrays["atmosphere"]
        look = line_look(number) | {"marker": None}
        axes.plot(*spectrum_with_gaps(nm, t / t.mean()), label=record.key.method, **look)
    first = records[0].arrays
    if "irradiance" in first:
        x, sun = spectrum_with_gaps(first["wavelength"], first["irradiance"])
        axes.fill_between(x, 0, sun / np.nanmean(sun), color="0.85", label="Sun at the ground")
    reach = first["wavelength"].min(), first["wavelength"].max()
    for place, gas in GASES.items():
        if reach[0] < place < reach[1]:
            axes.axvline(place, color="0.5", linestyle=":", linewidth=0.8, zorder=0)
            axes.text(place, 1.0, gas, transform=axes.get_xaxis_transform(), ha="center", size=7)
    axes.set_title(records[0].key.scene, pad=12)
    axes.set_xlabel(NM)
    axes.set_ylabel("Over its own mean (unitless)")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure
