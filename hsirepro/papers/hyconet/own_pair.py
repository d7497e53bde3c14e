"""A pair of one's own: opened and checked, degraded once more, fused, and judged without a truth.

Whoever brings an HSI Z and an MSI Y has nothing to compare the fused cube X with. Two things can
be measured all the same:

* **Reduced resolution** (Wald's protocol [1]_). Both images are degraded once more by the ratio,
  and fused; the given HSI is then the truth.
* **Consistency.** X must lead back to what was given: PSF(X) = Z and SRF(X) = Y. That is
  necessary and not sufficient: :func:`hidden_change` makes another cube that leads back to the
  same two images.

Where only an HSI is given, it is the truth itself, and the pair is simulated from it. What blurred
and weighted the two images is estimated in :mod:`~hsirepro.papers.hyconet.own_sensors`.

References
----------
.. [1] L. Wald, T. Ranchin, M. Mangolini, "Fusion of satellite images of different spatial
   resolutions: assessing the quality of resulting images", PE&RS 63(6), 1997.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import LinearOperator, cg

from hsirepro.atomic import PARTIAL
from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError, suggest
from hsirepro.fusion import ITERATIVE, METHODS, Fused, fuse
from hsirepro.metrics import psnr, rmse
from hsirepro.optics import PointSpread, SpectralResponse, check_pair, degrade, landsat8_oli
from hsirepro.papers.hyconet.experiments import PARAMETERS as TABLE_PARAMETERS
from hsirepro.papers.hyconet.experiments import PROFILES
from hsirepro.params import Parameter
from hsirepro.scenes import check_finite, drop_bad_bands, open_scene
from hsirepro.scenes.cube import from_tensor, has_wavelengths, make_cube, to_tensor

OLI = ("blue", "green", "red", "nir", "swir1", "swir2")
SIMULATED_RATIO, SIMULATED_SIGMA = 4, 0.5  # of a pair that is made here, as in Table II
FEWEST = 3  # rows or columns of an HSI that can still be fused and scored

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "hsi": Parameter("str", "planted", "hyperspectral image: a path, or a catalogue name"),
        "msi": Parameter("str", "", "multispectral image of the same ground; none: simulated"),
        "hsi_key": Parameter("str", "", "variable inside the file of the HSI"),
        "msi_key": Parameter("str", "", "variable inside the file of the MSI"),
        "wavelengths": Parameter("str", "", "text file with the band centres of the HSI", "nm"),
        "msi_bands": Parameter("str", "", "text file: name, first nm, last nm of each MSI band"),
        "ratio": Parameter("int", 0, "GSD ratio; 0: from the sizes, 4 if simulated", minimum=0),
        "sigma": Parameter(
            "float", 0.0, "PSF width; 0: estimated, 0.5 if simulated", "MSI pixels", minimum=0.0
        ),
        "methods": Parameter("str", "gsa,hyconet", "fusion methods, separated by commas"),
        **{name: TABLE_PARAMETERS[name] for name in ("profile", "seed", "device")},
        "output": Parameter("str", "", "NetCDF file for the cube of the last method"),
    }
)


@dataclass(frozen=True)
class OwnPair:
    """Two images of the same ground, and what is known besides.

    Parameters
    ----------
    hsi : DataArray, shape (h, w, L)
        Bands by increasing wavelength, in nm; no negative pixels.
    msi : DataArray, shape (h * ratio, w * ratio, l)
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    names : tuple of str, length l
        Of the MSI bands.
    notes : tuple of str
        What was done to the images when they were opened, one sentence each.
    truth : DataArray, shape (h * ratio, w * ratio, L), optional
        The scene, where the pair was made from one.
    psf, srf : optional
        What made the pair, where that is known.
    """

    hsi: xr.DataArray
    msi: xr.DataArray
    ratio: int
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    truth: xr.DataArray | None = None
    psf: PointSpread | None = None
    srf: SpectralResponse | None = None


def open_pair(
    hsi: str,
    msi: str = "",
    *,
    ratio: int = 0,
    sigma: float = 0.0,
    hsi_key: str = "",
    msi_key: str = "",
    wavelengths: str = "",
) -> OwnPair:
    """Open two images of the same ground, or one and simulate the pair from it.

    Parameters
    ----------
    hsi : str
        Path or catalogue name. Without ``msi`` it is the truth, and is degraded to the pair.
    msi : str
        Path or catalogue name; it need not know its wavelengths.
    ratio : int
        Ground sampling distance of HSI over MSI; 0 takes the sizes' (4 for a simulated pair).
    sigma : float
        Width of the Gaussian point spread of a simulated pair, MSI pixels; 0 takes 0.5.
    hsi_key, msi_key : str
        Variables inside the files, where they hold several.
    wavelengths : str
        Text file with the band centres of the HSI in nm, one per line.

    Returns
    -------
    OwnPair

    Raises
    ------
    SceneNotFound, FormatError
        If a file cannot be opened.
    WavelengthError
        If the HSI has no wavelengths, or covers no band of Landsat 8 OLI to simulate.
    ShapeError
        If the images do not overlap pixel for pixel at a whole ratio.
    PixelError
        If an image holds NaN or infinite pixels, or nothing but zeros.
    ParameterError
        If ``msi_key`` is given without ``msi``.
    """
    if msi_key and not msi:
        raise ParameterError(
            f"msi_key={msi_key!r} names a variable of the MSI, but no MSI was given.",
            next_step="give the file with -p msi",
        )
    cube, notes = _image(hsi, hsi_key, wavelengths)
    if not has_wavelengths(cube):
        raise WavelengthError(
            f"The HSI {hsi!r} has no wavelengths.",
            needed_for="telling which of its bands each MSI band covers",
            next_step="-p wavelengths centres.txt, a text file with one band centre in nm per line",
        )
    cube, more = _sorted(cube)
    if not msi:
        return _simulated(cube, ratio, sigma, (*notes, *more))
    sharp, remarks = _image(msi, msi_key, "", name="MSI")
    if sharp.sizes["wavelength"] >= cube.sizes["wavelength"]:
        raise ShapeError(
            f"The MSI has {sharp.sizes['wavelength']} bands, the HSI {cube.sizes['wavelength']}.",
            next_step="give the image with more bands as hsi, and the sharper one as msi",
        )
    ratio = ratio or _ratio_of_sizes(cube, sharp)
    check_pair(cube, sharp, ratio)
    return OwnPair(cube, sharp, ratio, _band_names(sharp), (*notes, *more, *remarks))


def _image(
    scene: str, key: str, wavelengths: str, name: str = "HSI"
) -> tuple[xr.DataArray, list[str]]:
    """Open one image without its bad and black bands and its negative pixels."""
    stored = open_scene(scene, key=key or None, wavelengths=wavelengths or None)
    cube = drop_bad_bands(stored)
    check_finite(cube)
    notes = []
    bad = stored.sizes["wavelength"] - cube.sizes["wavelength"]
    if bad:
        notes.append(f"{name}: bands left out because the file lists them as bad: {bad}.")
    black = np.flatnonzero(cube.max(("y", "x")).values <= 0)
    if len(black) == cube.sizes["wavelength"]:
        raise PixelError(f"The {name} {scene!r} has no pixel above 0.")
    if len(black) and name == "MSI":
        raise PixelError(
            f"Band {black[0] + 1} of the MSI {scene!r} has no pixel above 0.",
            next_step="leave the band out of the file",
        )
    if len(black):
        cube = cube.isel(wavelength=np.setdiff1d(np.arange(cube.sizes["wavelength"]), black))
        notes.append(f"{name}: bands left out because no pixel is above 0: {len(black)}.")
    negative = float((cube < 0).mean())
    if negative:
        notes.append(f"{name}: {100 * negative:.2g} % of its values are negative, and became 0.")
    return cube.clip(min=0.0).assign_attrs(cube.attrs), notes


def _sorted(cube: xr.DataArray) -> tuple[xr.DataArray, list[str]]:
    """Put bands in order: what an MSI band covers is a stretch of wavelengths."""
    if (np.diff(cube.wavelength.values) >= 0).all():
        return cube, []
    ordered = cube.sortby("wavelength")
    return ordered, ["HSI: its bands were put in the order of their wavelengths."]


def _ratio_of_sizes(hsi: xr.DataArray, msi: xr.DataArray) -> int:
    (h, w), (H, W) = ((cube.sizes["y"], cube.sizes["x"]) for cube in (hsi, msi))
    if h * w >= H * W:
        raise ShapeError(
            f"The MSI of {H} x {W} pixels is not sharper than the HSI of {h} x {w}.",
            next_step="give the sharper image as msi, or leave msi out to simulate one",
        )
    if H % h or W % w or H // h != W // w:
        raise ShapeError(
            "The size of the MSI is no whole multiple of that of the HSI.",
            hsi=f"{h} x {w} pixels",
            msi=f"{H} x {W} pixels, {H / h:.4g} times the rows and {W / w:.4g} the columns",
            next_step="crop both to the same ground, or resample the MSI to a whole ratio",
        )
    return H // h


def _band_names(msi: xr.DataArray) -> tuple[str, ...]:
    if has_wavelengths(msi):
        return tuple(f"{centre:.0f} nm" for centre in msi.wavelength.values)
    return tuple(f"band {number + 1}" for number in range(msi.sizes["wavelength"]))


def _simulated(cube: xr.DataArray, ratio: int, sigma: float, notes: tuple[str, ...]) -> OwnPair:
    nm = cube.wavelength.values
    covered = [band for band in OLI if _covers(nm, band)]
    if not covered:
        raise WavelengthError(
            "The HSI covers no band of Landsat 8 OLI, so no MSI can be simulated from it.",
            hsi=f"{nm[0]:g} nm to {nm[-1]:g} nm",
            next_step="give an MSI of your own with -p msi",
        )
    made = degrade(
        cube,
        ratio=ratio or SIMULATED_RATIO,
        sigma=sigma or SIMULATED_SIGMA,
        srf=landsat8_oli(nm, covered),
    )
    notes += (
        f"The pair is simulated: ratio {made.ratio}, Gaussian PSF of sigma "
        f"{sigma or SIMULATED_SIGMA:g} MSI pixels, Landsat 8 OLI {', '.join(covered)}.",
    )
    return OwnPair(
        made.hsi, made.msi, made.ratio, tuple(covered), notes, made.truth, made.psf, made.srf
    )


def _covers(nm: np.ndarray, band: str) -> bool:
    try:
        landsat8_oli(nm, [band])
    except WavelengthError:
        return False
    return True


def methods_of(text: str) -> tuple[str, ...]:
    """Return the fusion methods named in ``text``, separated by commas.

    Raises
    ------
    ParameterError
        If there is none, one is unknown, or one is named twice.

    Examples
    --------
    >>> methods_of("gsa, hyconet")
    ('gsa', 'hyconet')
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in METHODS:
            raise ParameterError(
                f"There is no fusion method {name!r}.", next_step=suggest(name, METHODS)
            )
    if not names or len(set(names)) < len(names):
        raise ParameterError(
            f"methods={text!r} does not name each of one or more methods once.",
            next_step=f"such as methods='gsa,hyconet', any of: {', '.join(sorted(METHODS))}",
        )
    return names


def run_method(
    name: str,
    pair: OwnPair,
    cover: SpectralResponse,
    *,
    profile: str,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
) -> Fused:
    """Fuse a pair with one method, which is told no more than ``cover``.

    Parameters
    ----------
    name : str
        A key of ``hsirepro.fusion.METHODS``.
    pair : OwnPair
    cover : SpectralResponse
        Not zero on the bands that each MSI band covers.
    profile : str
        A key of ``PROFILES``: how long HyCoNet is trained.
    seed, device, progress
        As for :func:`hsirepro.fusion.fuse`.
    """
    settings: dict[str, object] = {"progress": progress} if name in ITERATIVE else {}
    if name == "hyconet":
        settings["iterations"] = PROFILES[profile].iterations
    return fuse(
        name,
        pair.hsi,
        pair.msi,
        ratio=pair.ratio,
        srf=cover,
        seed=seed,
        device=device,
        **settings,  # type: ignore[arg-type]
    )


def reduced(pair: OwnPair, spread: PointSpread) -> OwnPair:
    """Degrade both images once more by the ratio; the given HSI becomes the truth.

    Rows and columns of the HSI that the ratio does not divide are left out at the end.

    Parameters
    ----------
    pair : OwnPair
    spread : PointSpread
        What blurs both images; its stride is the ratio.

    Returns
    -------
    OwnPair
        HSI of (h // ratio, w // ratio) pixels, MSI of the truth's size.

    Raises
    ------
    ShapeError
        If the degraded HSI would have less than 3 rows or columns.
    """
    ratio = pair.ratio
    rows, columns = (pair.hsi.sizes[axis] // ratio for axis in ("y", "x"))
    if min(rows, columns) < FEWEST:
        raise ShapeError(
            f"The HSI is too small to be degraded once more: at ratio {ratio} its "
            f"{pair.hsi.sizes['y']} x {pair.hsi.sizes['x']} pixels become {rows} x {columns}.",
            needed=f"{FEWEST * ratio} x {FEWEST * ratio} pixels or more",
            next_step="give a larger cut-out of both images, if there is one",
        )
    truth = pair.hsi.isel(y=slice(rows * ratio), x=slice(columns * ratio))
    sharp = pair.msi.isel(y=slice(rows * ratio**2), x=slice(columns * ratio**2))
    low, msi = (from_tensor(spread(to_tensor(cube)), cube) for cube in (truth, sharp))
    return OwnPair(low, msi, ratio, pair.names, truth=truth, psf=spread)


def consistency(
    cube: xr.DataArray, pair: OwnPair, spread: PointSpread, response: SpectralResponse
) -> dict[str, float]:
    """Measure how well a fused cube leads back to the two images it came from.

    Parameters
    ----------
    cube : DataArray, shape (h * ratio, w * ratio, L)
    pair : OwnPair
        In the units of ``cube``; see :func:`~hsirepro.papers.hyconet.own_sensors.calibrated`.
    spread, response : PointSpread, SpectralResponse
        What is believed of the two cameras.

    Returns
    -------
    dict of str to float
        ``HSI RMSE`` and ``MSI RMSE`` in the units of the HSI; ``HSI PSNR`` and ``MSI PSNR`` in dB
        against the maximum of each band, infinite where a band is met exactly.
    """
    x = to_tensor(cube)
    scores = {}
    for name, image, made in (("HSI", pair.hsi, spread(x)), ("MSI", pair.msi, response(x))):
        back = from_tensor(made, image)
        scores[f"{name} RMSE"] = rmse(back, image)
        scores[f"{name} PSNR"] = psnr(back, image, peak="reference-band-max")
    return scores


def hidden_change(
    cube: xr.DataArray, spread: PointSpread, response: SpectralResponse, seed: int = 0
) -> xr.DataArray:
    """Return a change of RMSE 1 that neither camera sees: PSF(change) = 0 and SRF(change) = 0.

    It is an image that the PSF blurs to nothing, times a spectrum that the SRF weights to nothing.

    Parameters
    ----------
    cube : DataArray, shape (H, W, L)
        Whose size and wavelengths the change has.
    spread, response : PointSpread, SpectralResponse
        Of the two cameras.
    seed : int
        Of the image and the spectrum, which are random.
    """
    rng = np.random.default_rng(seed)
    H, W, L = cube.shape
    image = torch.from_numpy(rng.standard_normal((H, W)))
    blurred = spread(image)
    size = blurred.numel()

    def twice(low: np.ndarray) -> np.ndarray:
        back = spread.adjoint(torch.from_numpy(low).reshape(blurred.shape), (H, W))
        return np.asarray(spread(back)).reshape(-1)

    # The nearest image that is blurred to nothing: image - A^T (A A^T)^-1 A image.
    normal = LinearOperator((size, size), matvec=twice, dtype=np.float64)
    weights = cg(normal, blurred.numpy().reshape(-1), rtol=1e-10, maxiter=500)[0]
    image = image - spread.adjoint(torch.from_numpy(weights).reshape(blurred.shape), (H, W))
    # Smooth, so that it looks like a spectrum: a few slow waves over the bands.
    waves = np.cos(np.pi * np.outer(np.arange(1, 7), np.arange(L) + 0.5) / L)
    spectrum = rng.standard_normal(6) @ waves
    R = response.matrix.double().numpy()
    spectrum = spectrum - np.linalg.pinv(R) @ (R @ spectrum)
    pattern = (image / image.square().mean().sqrt()).float().numpy()
    spectrum = (spectrum / np.sqrt(np.mean(spectrum**2))).astype(np.float32)
    return make_cube(pattern[:, :, None] * spectrum, cube.wavelength.values)


def check_output(output: str) -> Path | None:
    """Return where the fused cube goes, after checking that it can be written; None for "".

    Raises
    ------
    ParameterError
        If the name does not end in .nc, the file is there already, or its folder is missing or
        cannot be written.
    """
    if not output:
        return None
    path = Path(output)
    if path.suffix != ".nc":
        raise ParameterError(
            f"output={output!r} is no name of a NetCDF file.", next_step="let it end in .nc"
        )
    if path.exists():
        raise ParameterError(
            f"The output file {output!r} is there already, and is not overwritten.",
            next_step="give another name, or move the file away",
        )
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ParameterError(
            f"The folder of the output file {output!r} does not exist.",
            looked_for=str(folder),
            next_step="make the folder, or give another one",
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise ParameterError(
            f"The folder of the output file {output!r} cannot be written.",
            folder=str(folder),
            reason=problem.strerror or str(problem),
            next_step="give a folder of your own",
        ) from problem
    return path


def write_cube(cube: xr.DataArray, path: Path, **attrs: str | float) -> None:
    """Write a cube as NetCDF, whole or not at all, and never over another file.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
    path : Path
        As checked by :func:`check_output`, which is done once more.
    **attrs
        Added to the attributes of the cube, such as ``made_by``.

    Raises
    ------
    ParameterError
        As :func:`check_output`.
    """
    check_output(str(path))
    kept = {name: value for name, value in cube.attrs.items() if _storable(value)}
    named = cube.rename("cube").assign_attrs()
    named.attrs = {**kept, **attrs}
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        named.to_netcdf(partial, engine="h5netcdf", encoding={"cube": {"zlib": True}})
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _storable(value: object) -> bool:
    """Tell whether NetCDF can hold an attribute: texts, numbers, and lists of either."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        items = list(value)
        return bool(items) and all(isinstance(item, str | int | float) for item in items)
    return isinstance(value, str | int | float)
