"""The 345 spectra of the USGS library that INSS and PDASS mix their pixels of.

The papers name the chapters, and not the spectra. The list that was published with the code has
every complete reflectance spectrum of coatings, liquids, soils and vegetation, no mineral, no
organic compound, and 84 of the 263 complete ones of artificial materials. Which 84 follows no rule
that the papers state; what was left out are whole families of samples, listed below. The list
derived by them has the titles of the published one, in its order.

Five of the 345 are no reflectances but constructs that USGS made of a lawn to try programs out
(a spectrum shifted by 3 nm, one with 1 added, ratios); four of them are the only spectra of the
list that exceed 1. The published results were made with them, so they stay;
:func:`~hsirepro.scenes.libraries.without_constructs` takes them out.
"""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from hsirepro.errors import FormatError
from hsirepro.scenes.libraries import complete, usgs_library

CHAPTERS = "ACLSV"
COUNT = 345
TITLES = "4af02ab86556fdd6fa02f9b617df0e9fa5f3842e00567d9faac5c98e8f44e895"
"""SHA-256 of the published titles, sorted and joined by line ends."""

LEFT_OUT = (
    # pure chemicals and references
    *("Cerium", "Dysprosium", "Erbium", "Europium", "Gadolinium", "Holmium", "Lanthanum"),
    *("Lutetium", "Neodymium", "Praseodymium", "Samarium", "Scandium", "Terbium", "Thulium"),
    *("Ytterbium", "Yttrium", "Cyanide", "Iron_Sulfide", "Nickel_Powder", "PhosphoricAcid"),
    *("Sodium_Sulfate", "Spectralon"),
    # fabrics
    *("Burlap", "Cotton", "Nylon", "Polyester", "Terrycloth"),
    # oil on water and on plants, sludge
    *("Oil", "Kerogen", "Green_Slime", "Renyolds"),
    # plastics but for pipes, PVC and tarpaulins; tar paper; insulation
    *("Plastic_GGA", "Plastic_HDPE", "Plastic_LDPE", "Plastic_PETE", "Plastic_Tyvek"),
    *("Plastic_Vinyl", "Plastic_Visqueen", "Tar_Paper", "Vermiculite"),
)
"""How the titles of artificial materials begin that the published list does not have."""


def inss_library(library: xr.DataArray | None = None) -> xr.DataArray:
    """Return the spectra that INSS mixes.

    Parameters
    ----------
    library : DataArray, dims (spectrum, wavelength), optional
        USGS splib07 with its chapters; that of AVIRIS in 2014 by default.

    Returns
    -------
    DataArray, dims (spectrum, wavelength)
        345 spectra, by chapter and then by title.

    Raises
    ------
    SceneNotFound
        If no library is given and none is on this machine.
    FormatError
        If the library is another one: its titles do not lead to the published list.
    """
    everything = complete(usgs_library() if library is None else library)
    kept = [
        title.endswith("_AREF")
        and chapter in CHAPTERS
        and not (chapter == "A" and title.startswith(LEFT_OUT))
        for title, chapter in zip(
            everything.title.values.tolist(), everything.chapter.values.tolist(), strict=True
        )
    ]
    chosen = everything.isel(spectrum=kept)
    chosen = chosen.isel(spectrum=np.lexsort((chosen.title.values, chosen.chapter.values)))
    if title_hash(chosen) != TITLES:
        raise FormatError(
            f"The library leads to {len(chosen)} spectra, and not to the {COUNT} of INSS.",
            next_step="give USGS splib07b at the bands of a sensor, all chapters",
        )
    return chosen


def title_hash(library: xr.DataArray) -> str:
    """Return the SHA-256 of the sorted titles of a library, joined by line ends."""
    return hashlib.sha256("\n".join(sorted(library.title.values.tolist())).encode()).hexdigest()
