"""What the record of generated tiles holds: scores, spectra, and tiles for the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.generation import Fitted, Patches, Samples
from hsirepro.generation.hud import HUD, projection_loss
from hsirepro.metrics.classifier import TileClassifier, train_classifier
from hsirepro.metrics.distribution import (
    block_diversity,
    diversity_over_fidelity,
    point_fidelity,
)
from hsirepro.metrics.features import frechet_distance, inception_score, precision_recall
from hsirepro.records import Record, RecordKey
from hsirepro.scenes.cube import from_tensor, to_tensor
from hsirepro.training import fingerprint_of

REAL_TILES = 512  # that the classifier's features are compared with
PERCENTILES = (5, 25, 50, 75, 95)  # of the spectra, by band
LEVELS = 48  # of the density of spectra
FID, LEVEL = "FID", "shift of the level"
PROJECTION = "largest loss of the projection"
SPLITS = 8  # of the tiles, for the inception score
SHOWN = 16  # tiles of a picture, in a square


class Judge:
    """A scene with everything that generated tiles are held against.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
        The scene, scaled as the tiles are.
    labels : ndarray of int, shape (H, W), optional
        Classes for the network behind FID and the inception score; clusters of the spectra
        otherwise, and the scores are then named so.
    size : int
        Rows and columns of a tile.
    clusters : int
        How many, where there are no labels.
    iterations : int
        Training steps of the network.
    folder : Path, optional
        Where the trained classifier is kept, under a name of its own for each scene and setting;
        all methods of a scene share it.
    device : str
    """

    def __init__(
        self,
        cube: xr.DataArray,
        labels: np.ndarray | None,
        *,
        size: int,
        clusters: int,
        iterations: int,
        folder: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.cube, self.image, self.size = cube, to_tensor(cube), size
        self.why_not = ""
        self.net: TileClassifier | None = None
        given = clusters if labels is None else torch.from_numpy(labels)
        checkpoint = None
        if folder is not None:
            classes = [clusters] if labels is None else labels.ravel().tolist()
            plan = {"size": size, "iterations": iterations, "classes": classes}
            checkpoint = folder / f"classifier-{fingerprint_of(plan, 0, self.image)[:12]}.ckpt"
        try:
            self.net = train_classifier(
                self.image,
                given,
                size=size,
                iterations=iterations,
                checkpoint=checkpoint,
                device=device,
            )
        except (ShapeError, ParameterError) as error:
            self.why_not = str(error).splitlines()[0]

    def scores(self, tiles: Tensor, image: Tensor | None = None) -> dict[str, float]:
        """Return every metric of generated tiles.

        Parameters
        ----------
        tiles : Tensor, shape (n, L, size, size)
        image : Tensor, shape (L, H, W), optional
            What they are held against: a part of the scene, or all of it. The network is one.
        """
        image = self.image if image is None else image
        fidelity = point_fidelity(tiles, image)
        diversity = block_diversity(tiles, image, reading="pixelwise")
        block = block_diversity(tiles, image, reading="block")
        level = float(tiles.mean() / image.mean()) - 1.0
        found = {
            "PointFidelity": fidelity,
            "BlockDiversity": diversity,
            "DiversityOverFidelity": diversity_over_fidelity(diversity, fidelity),
            "BlockDiversity of flattened blocks": block,
            LEVEL: level,
        }
        return found | self._by_network(tiles, image)

    def _by_network(self, tiles: Tensor, image: Tensor) -> dict[str, float]:
        if self.net is None:
            return {}
        generator = torch.Generator().manual_seed(0)
        real = Patches([image], self.size).draw(REAL_TILES, generator)
        mine, theirs = self.net.features(tiles), self.net.features(real)
        shares, logits = precision_recall(mine, theirs), self.net.logits(tiles)
        own = "" if self.net.labels_from == "ground truth" else " of clusters"
        return {
            f"{FID}{own}": frechet_distance(mine, theirs).value,
            f"IS{own}": inception_score(logits, splits=math.gcd(len(tiles), SPLITS)).value,
            f"precision{own}": shares.precision,
            f"recall{own}": shares.recall,
            f"classifier accuracy{own}": self.net.accuracy,
        }


def record_of(
    key: RecordKey,
    fitted: Fitted,
    samples: Samples,
    judge: Judge,
    scores: Mapping[str, float],
    sources: Mapping[str, object],
    *,
    pictures: bool,
) -> Record:
    """Put the record of judged tiles together.

    Parameters
    ----------
    key : RecordKey
    fitted : Fitted
    samples : Samples
    judge : Judge
        Who knows the scene.
    scores : mapping of str to float
        What was found of the tiles.
    sources : mapping
        Provenance.
    pictures : bool
        Whether to store tiles in false colour.

    Returns
    -------
    Record
        The scores; curves of the training; by band the percentiles and the density of the
        generated and the real spectra.
    """
    metrics = dict(scores)
    if isinstance(fitted.model, HUD):
        metrics[PROJECTION] = projection_loss(fitted.model, judge.image)
    arrays: dict[str, np.ndarray] = {"wavelength": judge.cube.wavelength.values}
    top = float(np.percentile(judge.image.numpy(), 99.9)) * 1.25
    for name, spectra in (("generated", samples.tiles), ("real", judge.image[None])):
        values = spectra.transpose(0, 1).flatten(1).numpy()
        arrays[f"percentiles_{name}"] = np.percentile(values, PERCENTILES, axis=1)
        arrays[f"density_{name}"] = density(values, top)
    if samples.abundances is not None:
        arrays["mean_abundances"] = samples.abundances.mean(dim=(0, 2, 3)).numpy()
    settings: dict[str, Any] = {
        "tiles": len(samples.tiles),
        "size": judge.size,
        "shape": list(judge.cube.shape),
        "density_top": top,
        **fitted.settings,
    }
    if judge.why_not:
        settings["no FID because"] = judge.why_not
    images = mosaics(samples.tiles, judge) if pictures else {}
    return Record(key, metrics, fitted.curves, arrays, images, settings, sources)


def density(values: np.ndarray, top: float) -> np.ndarray:
    """Return how often each level occurs in each band, shape (L, N) to (L, LEVELS), in 1/65535.

    Examples
    --------
    >>> density(np.array([[0.0, 0.1, 0.9, 0.9]]), 1.0)[0, [0, 43]]
    array([16384, 32768], dtype=uint16)
    """
    edges = np.linspace(0.0, top, LEVELS + 1)
    inside = np.clip(values, 0.0, np.nextafter(top, 0.0))
    counts = np.stack([np.histogram(band, edges)[0] for band in inside])
    shares: np.ndarray = np.round(65535 * counts / values.shape[1]).astype(np.uint16)
    return shares


def mosaics(tiles: Tensor, judge: Judge) -> dict[str, np.ndarray]:
    """Return generated and real tiles in one false colour; none where wavelengths are unknown."""
    generator = torch.Generator().manual_seed(0)
    real = Patches([judge.image], judge.size).draw(SHOWN, generator)
    try:
        return {
            name: mosaic(some, judge.cube) for name, some in (("generated", tiles), ("real", real))
        }
    except WavelengthError:
        return {}


def mosaic(tiles: Tensor, cube: xr.DataArray) -> np.ndarray:
    """Return up to SHOWN tiles, side by side in a square, in the false colour of their scene.

    Parameters
    ----------
    tiles : Tensor, shape (n, L, size, size)
    cube : DataArray, dims (y, x, wavelength)

    Returns
    -------
    ndarray, shape (H, W, 3), uint8

    Raises
    ------
    WavelengthError
        If the cube has no wavelengths.
    """
    from hsirepro.report.colour import false_colour, stretch_of

    side = math.isqrt(min(SHOWN, len(tiles)))
    rows = [torch.cat(list(tiles[r * side : (r + 1) * side]), dim=2) for r in range(side)]
    square = from_tensor(torch.cat(rows, dim=1), cube)
    return false_colour(square, stretch=stretch_of(cube))
