"""Fig. 8: whether pixels of one class have mixing models that lie together.

What mixes a pixel is its abundances, the code of its place in its tile, and the weights that were
predicted for this tile. The paper puts them side by side, pixel by pixel, unscaled, and draws them
by t-SNE [1]_: five classes, "each in a different area". Whether that is news can only be told
beside what the mixing models are made from, so the same is done with the abundances alone, with
the three colours that INSS was given, and with the true spectra.

With an order above 1 a pixel has some 46,000 numbers. They are brought to at most 50 principal
components, by the products of the centred vectors with each other, which are sums of those of the
three parts: the weights, which all pixels of a tile share, are never repeated per pixel. Then
t-SNE puts the components into a plane. How well classes lie apart is told by the silhouette,

    mean over pixels of (b - a) / max(a, b),

a the mean distance to the pixels of its class and b that to the nearest other class: 1 where
classes are points, 0 where they are one cloud. Pixels of one tile share nearly all of their
numbers, so they may lie together because they are neighbours on the ground: the silhouette by
tile says how far this goes.

References
----------
.. [1] L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", J. Mach. Learn. Res. 9, 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.papers.inss.classification import NETWORK_SEED
from hsirepro.papers.inss.labelled import Labelled, Labels
from hsirepro.records import Meter, Record, RecordKey, code_hash, provenance
from hsirepro.recovery import Fitted
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.mixing import place_codes

EMBEDDED = "fig-8"
FEATURES = ("mixing-model", "abundances", "rgb", "true-spectra")
"""The rows: what of a pixel is embedded."""
PIXELS: Mapping[str, int] = MappingProxyType({"smoke": 150, "quick": 1500, "paper": 1500})
STEPS: Mapping[str, int] = MappingProxyType({"smoke": 300, "quick": 1000, "paper": 1000})
COMPONENTS = 50
PERPLEXITY = 30.0
FEWEST = 20  # pixels of a class that take part

Floats = NDArray[np.float64]


def embedding_record(key: RecordKey, scene: Labelled, network: Callable[[], Fitted]) -> Record:
    """Embed labelled pixels of a scene and return the record.

    Parameters
    ----------
    key : RecordKey
        Its seed draws the pixels and starts t-SNE.
    scene : Labelled
    network : callable
        Gives the fitted INSS; not called for a row that does not need it.

    Returns
    -------
    Record
        Metrics: the silhouette by class in the plane and before t-SNE, the share of the ten
        nearest neighbours in the plane that are of the same class in %, and the silhouette by
        tile; of mixing models also how much of their variance is in weights, abundances and codes,
        in %, and the silhouette before t-SNE with these three scaled to the same variance.
        Arrays: the plane, shape (n, 2), label, row and column of each pixel.
    """
    rows, columns = balanced_pixels(scene.labels, PIXELS[key.profile], key.seed)
    labels = scene.labels[rows, columns]
    with Meter() as meter:
        products, tiles, told = _products(key.method, scene, network, rows, columns)
        components = principal(products)
        plane = tsne(components, key.seed, STEPS[key.profile])
    metrics = {
        "silhouette": silhouette(plane, labels),
        "silhouette before t-SNE": silhouette(components, labels),
        "neighbours of the same class": 100 * same_class(plane, labels),
        **told,
    }
    if len(np.unique(tiles)) > 1:
        metrics["silhouette by tile"] = silhouette(plane, tiles)
    needs = key.method in ("mixing-model", "abundances")
    origin = {"scene": scene.images, "profile": key.profile, "seed": NETWORK_SEED} | {
        "code": code_hash()
    }
    return Record(
        key,
        metrics,
        {},
        {"plane": plane, "label": labels, "row": rows, "column": columns},
        {},
        {
            "pixels": len(rows),
            "components": components.shape[1],
            "perplexity": _perplexity(len(rows)),
            "steps": STEPS[key.profile],
            "names": list(scene.names),
            "network": origin if needs else {},
            "notes": [*scene.notes, _told_left_out(scene)],
        },
        provenance(
            seed=key.seed,
            data_sha256=scene.sha256,
            wall_time_s=meter.wall_time_s,
            peak_memory_mb=meter.peak_memory_mb,
            device="cpu",
        ),
    )


def balanced_pixels(labels: Labels, most: int, seed: int) -> tuple[Labels, Labels]:
    """Return rows and columns of labelled pixels, alike many of each class with 20 or more.

    Raises
    ------
    ParameterError
        If fewer than two classes have 20 pixels.

    Examples
    --------
    >>> rows, columns = balanced_pixels(np.repeat([[1], [2]], 50, axis=1), 40, 0)
    >>> np.bincount(rows).tolist()
    [20, 20]
    """
    classes = [n for n in np.unique(labels[labels > 0]) if (labels == n).sum() >= FEWEST]
    if len(classes) < 2:
        raise ParameterError(
            f"{len(classes)} classes have {FEWEST} labelled pixels; two are needed to compare.",
            next_step="give a larger map of classes",
        )
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation((labels == n).ravel().nonzero()[0])[: most // len(classes)] for n in classes
    ]
    rows, columns = np.divmod(np.sort(np.concatenate(chosen)), labels.shape[1])
    return rows, columns


def principal(products: Floats) -> Floats:
    """Return principal components, shape (n, at most 50), from products of vectors (n, n).

    The products of centred vectors are those of the vectors, centred by rows and columns; their
    eigenvectors, times the roots of the eigenvalues, are the components.
    """
    centred = products - products.mean(axis=0) - products.mean(axis=1)[:, None] + products.mean()
    values, vectors = np.linalg.eigh(centred)
    kept = values > 1e-9 * max(float(values[-1]), 1e-300)
    order = np.flatnonzero(kept)[::-1][:COMPONENTS]
    if not len(order):
        raise ParameterError(
            "All pixels have the same vector: there is nothing to embed.",
            next_step="look at the abundances of the network: it may not have been trained",
        )
    found = vectors[:, order] * np.sqrt(values[order])
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(len(order))])
    return np.asarray(found * signs)  # a sign is chance otherwise


def tsne(components: Floats, seed: int, steps: int = 1000) -> Floats:
    """Return the plane into which t-SNE puts components in some steps, shape (n, 2)."""
    from sklearn.manifold import TSNE

    size = float(components[:, 0].std())
    first = np.zeros((len(components), 2))
    shown = components[:, :2] / size * 1e-4
    first[:, : shown.shape[1]] = shown
    model = TSNE(
        perplexity=_perplexity(len(components)),
        init=first,
        max_iter=steps,
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(model.fit_transform(components / size), dtype=np.float64)


def silhouette(points: Floats, labels: Labels) -> float:
    """Return the silhouette of points, shape (n, k), by label; from -1 to 1."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points, labels))


def same_class(points: Floats, labels: Labels, neighbours: int = 10) -> float:
    """Return the share of the nearest neighbours that have a point's own label.

    Examples
    --------
    >>> same_class(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([1, 1, 2, 2]), neighbours=1)
    1.0
    """
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(return_distance=False)
    return float((labels[near] == labels[:, None]).mean())


def _perplexity(count: int) -> float:
    return min(PERPLEXITY, (count - 1) / 3)


def _told_left_out(scene: Labelled) -> str:
    sizes = {n: int((scene.labels == n + 1).sum()) for n in range(len(scene.names))}
    few = [f"{scene.names[n]} ({size} pixels)" for n, size in sizes.items() if 0 < size < FEWEST]
    return "Classes left out, too few pixels: " + (", ".join(few) or "none") + "."


def _products(
    what: str, scene: Labelled, network: Callable[[], Fitted], rows: Labels, columns: Labels
) -> tuple[Floats, Labels, dict[str, float]]:
    """Return products of the pixels' vectors, the tile of each, and what else is to be told."""
    tiles = rows // 16 * (scene.labels.shape[1] // 16 + 1) + columns // 16
    if what in ("rgb", "true-spectra"):
        image = scene.rgb if what == "rgb" else scene.cube
        return _gram(image[:, rows, columns].T.double()), tiles, {}
    model = network().model
    if not isinstance(model, INSS):
        raise ParameterError(
            f"A {type(model).__name__} has no mixing models.", next_step="give a fitted INSS"
        )
    abundances, weights = _models_of(model, scene.rgb)
    shares = _gram(abundances[:, rows, columns].T.double())
    if what == "abundances":
        return shares, tiles, {}
    side = model.mixing.tile
    codes = _gram(
        place_codes(side, model.mixing.origin)[rows % side * side + columns % side].double()
    )
    parts = {"abundances": shares, "codes": codes}
    if weights is not None:
        flat = weights.flatten(1).T.double()
        place = rows // side * weights.shape[2] + columns // side
        parts["weights"] = _gram(flat)[np.ix_(place, place)]
    spread = {name: _variance(part) for name, part in parts.items()}
    total = sum(spread.values())
    told = {f"variance in {name}": 100 * value / total for name, value in spread.items()}
    alike = sum(part / spread[name] for name, part in parts.items() if spread[name] > 0)
    told["silhouette before t-SNE, parts alike"] = silhouette(
        principal(np.asarray(alike)), scene.labels[rows, columns]
    )
    return np.sum(list(parts.values()), axis=0), tiles, told


def _gram(vectors: Tensor) -> Floats:
    return np.asarray((vectors @ vectors.T).numpy())


def _variance(products: Floats) -> float:
    """Return the variance of vectors, over all their numbers, from their products."""
    return float(np.trace(products) / len(products) - products.mean())


@torch.no_grad()
def _models_of(model: INSS, rgb: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return abundances (N_g, H, W) and weights of tiles (w, H / D, W / D), borders mirrored."""
    height, width = rgb.shape[1:]
    down, right = -height % model.multiple, -width % model.multiple
    model.eval()
    abundances, weights = model.mixing_models(
        F.pad(rgb[None].float(), (0, right, 0, down), mode="reflect")
    )
    return abundances[0, :, :height, :width], None if weights is None else weights[0]
