"""The images of INSS: what is trained on, chosen by, and tested on, split by place.

The paper trains on four AVIRIS flight lines, chooses the model on a fifth and tests on a sixth,
and names none of them. In their place stand twelve crops of AVIRIS radiance of seven places (the
ABU benchmark). Their files do not say which bands they kept; see
:mod:`hsirepro.scenes.alignment`. No place is on two sides, since crops of one place can share
pixels. The second stand-in is the paper's other kind of input: a real RGB image, an 8-bit chip of
PDASS, that lies pixel for pixel on 48 bands of CASI; there the sides are columns of one scene.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from hsirepro.errors import FormatError, ParameterError, SceneNotFound, WavelengthError, suggest
from hsirepro.papers.inss.library import inss_library
from hsirepro.recovery import Pairs
from hsirepro.recovery.inss import RED_GREEN_BLUE
from hsirepro.scenes import open_scene, wavelengths_nm
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.libraries import make_library, resample
from hsirepro.scenes.locate import data_folders, find
from hsirepro.scenes.materials import MATERIALS, endmember_spectra
from hsirepro.scenes.simulate import simulate, solar_atmosphere
from hsirepro.scenes.solar import SPECTRA, solar_spectra

SIDES = ("train", "validation", "test")
FULL_SCALE = 4095.0  # counts that the released code divides by
LEFT_OUT = ((103, 114), (151, 168))  # water bands of the release, of 224, counted from 0
SAME = 0.1  # nm

CROPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Los Angeles (five crops, two of which share pixels), the coast of Texas, Cat Island,
        # and San Diego's coast
        "train": (
            *("abu-airport-1", "abu-airport-2", "abu-airport-3", "abu-urban-4", "abu-urban-5"),
            *("abu-urban-1", "abu-urban-2", "abu-beach-1", "abu-beach-2"),
        ),
        "validation": ("abu-beach-3",),  # Bay Champagne
        "test": ("abu-airport-4", "abu-urban-3"),  # Gulfport, Gainesville
    }
)
COLUMNS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"train": (0, 68), "validation": (68, 88), "test": (88, 128)}
)
"""Columns of the Houston crop on each side."""
CHIP = "scenes/casi/pdass/train/multi/2_3.tif"
CHIP_ROWS, CHIP_COLUMNS = (89, 345), (168, 424)  # of the chip that lie on the crop, two to a pixel
CASI_FWHM = 14.3  # nm, by which the bands lie apart

Images = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Dataset:
    """Pairs of three sides, and the library that goes with them.

    Parameters
    ----------
    sides : mapping of str to Pairs
        ``train``, ``validation`` and ``test``; counts over ``scale``.
    names : mapping of str to tuple of str
        What each image is.
    library : DataArray, dims (spectrum, wavelength)
        At the bands of the images.
    scale : float
        Counts that are 1.
    sha256 : str
        Of all files together.
    notes : tuple of str
        What was done to the images, one sentence each.
    given : tuple of int
        Bands that are the input itself: the paper counts them as reconstructed.
    irradiance : ndarray, shape (L,), optional
        Light of the Sun at the ground: direct, of ASTM G173, or what was planted.
    """

    sides: Mapping[str, Pairs]
    names: Mapping[str, tuple[str, ...]]
    library: xr.DataArray
    scale: float
    sha256: str
    notes: tuple[str, ...] = ()
    given: tuple[int, ...] = ()
    irradiance: NDArray[np.float64] | None = None


def open_dataset(name: str) -> Dataset:
    """Open the images of INSS's experiments.

    Parameters
    ----------
    name : str
        ``"planted"``, ``"abu-crops"``, ``"houston-chip"``, or the path of a folder of one's own:
        cubes of AVIRIS counts, or of any sensor with wavelengths, in its folders ``train``,
        ``validation`` and ``test``.

    Returns
    -------
    Dataset

    Raises
    ------
    ParameterError
        If there is no such name or folder.
    SceneNotFound
        If a file is not on this machine.
    FormatError
        If a side of one's own is empty.
    WavelengthError
        If a cube does not know its wavelengths, or two have no bands in common.
    """
    if name in DATASETS:
        return DATASETS[name]()
    if Path(name).is_dir():
        return _own(Path(name))
    raise ParameterError(
        f"There are no images {name!r}.",
        hint=suggest(name, DATASETS),
        next_step="or give a folder that holds cubes in train, validation and test",
    )


def common_bands(cubes: Sequence[xr.DataArray]) -> NDArray[np.float64]:
    """Return the wavelengths in nm that all cubes have, in the order of the first.

    Raises
    ------
    WavelengthError
        If a cube does not know its wavelengths, or there are none in common.
    """
    first, *others = [wavelengths_nm(cube, "finding the bands in common") for cube in cubes]
    kept = [nm for nm in first if all(np.abs(other - nm).min() < SAME for other in others)]
    if not kept:
        raise WavelengthError(
            f"The {len(cubes)} images have no band in common.",
            next_step="take images of one sensor and season, or resample them",
        )
    return np.array(kept)


def pair_of(
    cube: xr.DataArray, wavelength: NDArray[np.float64], scale: float
) -> tuple[Tensor, Tensor]:
    """Return colours and bands of a cube, as the released code makes them.

    Colours are the bands nearest to 685, 541 and 443 nm. Negative counts become 0.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
    wavelength : ndarray, shape (L,)
        Of the bands that are kept.
    scale : float
        Counts that become 1.

    Returns
    -------
    tuple of Tensor, shapes (3, H, W) and (L, H, W)
    """
    nm = wavelengths_nm(cube, "taking colours and bands")
    image = to_tensor(cube).clamp_min(0.0) / scale
    colours = [int(np.abs(nm - colour).argmin()) for colour in RED_GREEN_BLUE]
    return image[colours], image[[int(np.abs(nm - band).argmin()) for band in wavelength]]


def _abu_crops() -> Dataset:
    cubes = {name: open_scene(name) for side in SIDES for name in CROPS[side]}
    library = inss_library()
    grid = np.round(library.wavelength.values, 2)  # as the catalogue has it
    wet = np.concatenate([grid[first:end] for first, end in LEFT_OUT])
    common = common_bands(list(cubes.values()))
    kept = np.array([nm for nm in common if np.abs(wet - nm).min() > SAME])
    places = [int(np.abs(grid - nm).argmin()) for nm in kept]
    return _dataset(
        {side: {n: pair_of(cubes[n], kept, FULL_SCALE) for n in CROPS[side]} for side in SIDES},
        library.isel(wavelength=places).assign_coords(wavelength=kept),
        FULL_SCALE,
        [str(cube.attrs["sha256"]) for cube in cubes.values()],
        (
            f"{len(kept)} bands are kept: those that all crops have, without the water bands that "
            "the paper leaves out.",
            "Which bands the crops kept is an estimate.",
        ),
    )


def _houston_chip() -> Dataset:
    cube = open_scene("houston-2018-crop")
    nm = wavelengths_nm(cube, "resampling the library")
    image = to_tensor(cube) / FULL_SCALE
    colours, digest = chip_colours()
    library = resample(inss_library(), nm, np.full(len(nm), CASI_FWHM))
    images = {
        side: {side: (colours[:, :, first:end], image[:, :, first:end])}
        for side, (first, end) in COLUMNS.items()
    }
    return _dataset(
        images,
        library,
        FULL_SCALE,
        [str(cube.attrs["sha256"]), digest],
        (
            "The RGB is a real image: an 8-bit chip of PDASS, its pixels averaged two by two.",
            "Sides are columns of one scene.",
        ),
    )


def chip_colours() -> tuple[Tensor, str]:
    """Return the colours of the ground of the Houston crop, shape (3, 128, 128), and a hash."""
    from hsirepro.scenes import CATALOGUE
    from hsirepro.scenes.rgb import open_rgb

    (file,) = (f for f in CATALOGUE["pdass-rgb"].files if f.path == CHIP)
    place = find(file)
    if place is None:
        raise SceneNotFound(
            f"The colour image {CHIP!r} is not on this machine.",
            looked_in=", ".join(map(str, data_folders())) or "HSIREPRO_DATA",
            next_step="hsirepro scenes fetch pdass-rgb",
        )
    chip = open_rgb(place)
    part = chip.values[slice(*CHIP_ROWS), slice(*CHIP_COLUMNS)]
    rows, columns = part.shape[0] // 2, part.shape[1] // 2
    mean = part.reshape(rows, 2, columns, 2, 3).mean(axis=(1, 3))
    return torch.from_numpy(np.ascontiguousarray(mean.transpose(2, 0, 1))), str(
        chip.attrs["sha256"]
    )


def _planted() -> Dataset:
    """Return four simulated scenes under one atmosphere, and a library with their materials."""
    nm = np.linspace(420.0, 1000.0, 30)
    sun = solar_atmosphere(nm)
    images: dict[str, Images] = {side: {} for side in SIDES}
    for seed, side in enumerate(("train", "train", "validation", "test")):
        scene = simulate(size=64, wavelengths=nm, seed=seed, atmosphere=True)
        images[side][f"planted-{seed}"] = pair_of(scene.cube, nm, 1.0)
    names = tuple(MATERIALS)
    library = make_library(endmember_spectra(names, nm), names, nm, np.full(len(nm), 20.0))
    digest = [f"planted {sun.sum():.6f}"]
    return _dataset(images, library, 1.0, digest, ("The scenes are simulated.",), sun)


def _own(folder: Path) -> Dataset:
    files = {side: sorted(_cubes(folder / side)) for side in SIDES}
    for side, found in files.items():
        if not found:
            raise FormatError(
                f"{str(folder / side)!r} holds no cube.",
                next_step="put ENVI headers, GeoTIFFs or other cubes with wavelengths there",
            )
    cubes = {file: open_scene(file) for found in files.values() for file in found}
    kept = common_bands(list(cubes.values()))
    library = inss_library()
    low, high = library.wavelength.values.min(), library.wavelength.values.max()
    kept = kept[(kept >= low) & (kept <= high)]
    steps = np.full(len(kept), float(np.median(np.abs(np.diff(kept)))))
    return _dataset(
        {
            side: {f.name: pair_of(cubes[f], kept, FULL_SCALE) for f in files[side]}
            for side in SIDES
        },
        resample(library, kept, steps),
        FULL_SCALE,
        [str(cube.attrs["sha256"]) for cube in cubes.values()],
        (f"{len(kept)} bands are kept: those of all cubes that the library covers.",),
    )


def _cubes(folder: Path) -> list[Path]:
    kinds = (".hdr", ".tif", ".tiff", ".mat", ".nc", ".h5", ".npz")
    return [file for file in folder.glob("*") if file.suffix.lower() in kinds]


def _dataset(
    images: Mapping[str, Images],
    library: xr.DataArray,
    scale: float,
    hashes: Sequence[str],
    notes: tuple[str, ...],
    irradiance: NDArray[np.float64] | None = None,
) -> Dataset:
    nm = library.wavelength.values
    sides = {
        side: Pairs([rgb for rgb, _ in found.values()], [hsi for _, hsi in found.values()], nm)
        for side, found in images.items()
    }
    first = sides["test"]
    given = tuple(
        band
        for band, image in enumerate(first.hsi[0])
        if any(torch.equal(image, colour) for colour in first.rgb[0])
    )
    digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    names = {side: tuple(found) for side, found in images.items()}
    if irradiance is None:
        irradiance = _direct_light(library)
    return Dataset(sides, names, library, scale, digest, notes, given, irradiance)


def _direct_light(library: xr.DataArray) -> NDArray[np.float64] | None:
    """Return the direct irradiance of ASTM G173 at a library's bands, if the table is here."""
    try:
        spectra = solar_spectra()
    except SceneNotFound:
        return None  # the light is shown beside t, and nothing is computed from it
    widths = np.nan_to_num(library.fwhm.values, nan=10.0)
    seen = resample(spectra, library.wavelength.values, widths).values
    return np.asarray(seen[SPECTRA.index("direct")])


DATASETS: Mapping[str, Callable[[], Dataset]] = MappingProxyType(
    {"planted": _planted, "abu-crops": _abu_crops, "houston-chip": _houston_chip}
)
"""The images that this project has, by name."""
