"""The unmixing core held against published unmixings: a study that the paper does not have.

HUD stands on endmembers that vertex component analysis finds. How good are they where somebody
has published others to compare with?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, suggest
from hsirepro.papers.hud.experiments import PAPER
from hsirepro.records import Meter, Record, RecordKey, provenance
from hsirepro.scenes import open_scene, reference_unmixing
from hsirepro.scenes.cube import to_tensor
from hsirepro.unmixing import abundance_rmse, fcls, hfc, hysime, match_endmembers, nfindr, vca
from hsirepro.unmixing.autoencoder import RESTARTS

UNMIXING = "unmixing"
REFERENCED = ("jasper-ridge", "samson", "moffett-field")
CONDITION = "p=reference"
SEEDS = (0, 1, 2)
STEP = 1e-4  # of abundance, a grey level of the stored maps


@dataclass(frozen=True)
class Finder:
    """A way to find endmembers.

    Parameters
    ----------
    name : str
        ``"vca"`` or ``"n-findr"``.
    restarts : int
        Of VCA.
    snr_db : float, optional
        Given to VCA: minus infinity takes the projection for noisy scenes.
    random : bool
        Whether the answer depends on the seed.
    """

    name: str
    restarts: int = 1
    snr_db: float | None = None
    random: bool = True


FINDERS: Mapping[str, Finder] = MappingProxyType(
    {
        "vca": Finder("vca", RESTARTS),
        "vca-once": Finder("vca"),
        "vca-affine": Finder("vca", RESTARTS, -np.inf),
        "n-findr": Finder("n-findr", random=False),
    }
)


def unmixing_keys(
    scene: str, methods: Iterable[str] | None = None, seeds: Iterable[int] | None = None
) -> list[RecordKey]:
    """List the cells of one scene; a run takes a second, so there is one profile.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    if scene not in REFERENCED:
        raise ParameterError(
            f"There is no reference unmixing of {scene!r}.", hint=suggest(scene, REFERENCED)
        )
    chosen = tuple(SEEDS if seeds is None else seeds)
    found = []
    for method in FINDERS if methods is None else methods:
        if method not in FINDERS:
            raise ParameterError(f"There is no row {method!r}.", hint=suggest(method, FINDERS))
        found += [
            RecordKey(PAPER, UNMIXING, scene, CONDITION, method, "paper", seed)
            for seed in (chosen if FINDERS[method].random else chosen[:1])
        ]
    return found


def run_unmixing(key: RecordKey) -> Record:
    """Unmix a scene that has a reference, and return the record of how far both are apart.

    Returns
    -------
    Record
        Metrics: mean and largest spectral angle (degrees) of the matched endmembers, root mean
        square error of the abundances, relative error of the reconstruction (%), and the numbers
        of endmembers by HFC and HySime. Arrays: both sets of endmembers, each of unit length, and
        the errors by material. Pictures for the first seed: both sets of abundances, one below
        the other.
    """
    cube, reference = open_scene(key.scene), reference_unmixing(key.scene)
    image = to_tensor(cube)
    pixels = image.flatten(1)
    theirs = torch.from_numpy(reference.endmembers)
    with Meter() as meter:
        endmembers = _found(FINDERS[key.method], pixels, theirs.shape[1], key.seed)
        shares = fcls(pixels, endmembers)
    order, angles = match_endmembers(endmembers, theirs)
    truth = torch.from_numpy(reference.abundances)
    errors = abundance_rmse(shares, truth.flatten(1), order)
    left = (endmembers @ shares - pixels).norm() / pixels.norm()
    metrics = {
        "mean angle": float(angles.mean()),
        "largest angle": float(angles.max()),
        "abundance RMSE": float(errors.square().mean().sqrt()),
        "reconstruction error": 100 * float(left),
        "endmembers by HFC": float(hfc(pixels)),
        "endmembers by HySime": float(hysime(pixels)[0]),
    }
    arrays = {
        "wavelength": cube.wavelength.values,
        "endmembers": torch.nn.functional.normalize(endmembers[:, order], dim=0).numpy(),
        "reference": torch.nn.functional.normalize(theirs, dim=0).numpy(),
        "angles": angles.numpy(),
        "errors": errors.numpy(),
    }
    maps = torch.cat([truth, shares[order].reshape(truth.shape)])
    images = {"abundances": _levels(maps)} if key.seed == 0 else {}
    sources = provenance(
        seed=key.seed,
        data_sha256=str(cube.attrs["sha256"]),
        wall_time_s=meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device="cpu",
    )
    settings = {"materials": list(reference.names), "restarts": FINDERS[key.method].restarts}
    return Record(key, metrics, {}, arrays, images, settings, sources)


def _found(finder: Finder, pixels: Tensor, count: int, seed: int) -> Tensor:
    if finder.name == "n-findr":
        return pixels[:, nfindr(pixels, count)].double()
    return vca(pixels, count, seed=seed, restarts=finder.restarts, snr_db=finder.snr_db)[0]


def _levels(maps: Tensor) -> np.ndarray:
    """Lay maps of shape (2 p, H, W) out as two rows of p, in grey levels."""
    p = len(maps) // 2
    rows = [torch.cat(list(half), dim=1) for half in (maps[:p], maps[p:])]
    levels: np.ndarray = np.round(torch.cat(rows).numpy().clip(0, 1) / STEP).astype(np.uint16)
    return levels
