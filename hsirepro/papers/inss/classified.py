"""One cell of Table III: draw pixels, fit a classifier with or without abundances, and judge it.

What is asked, and what the paper leaves open, stands in
:mod:`~hsirepro.papers.inss.classification`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hsirepro.downstream import METHODS, Split, splits
from hsirepro.errors import ParameterError
from hsirepro.metrics.classification import classification_scores
from hsirepro.papers.inss.classification import (
    APPENDED,
    CLASSIFIERS,
    LEAST,
    LENGTHS,
    NETWORK_SEED,
    PATCH,
    SPLITS,
    Added,
    condition_of,
)
from hsirepro.papers.inss.labelled import Labelled, Labels
from hsirepro.records import Meter, Record, RecordKey, code_hash, provenance
from hsirepro.recovery import Fitted


def classification_record(
    key: RecordKey,
    scene: Labelled,
    network: Callable[[], Fitted],
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: bool = False,
    pictures: bool = False,
) -> Record:
    """Train a classifier on one split, judge it, and return the record.

    Parameters
    ----------
    key : RecordKey
    scene : Labelled
    network : callable
        Gives the fitted INSS; not called for a row without abundances.
    device, checkpoint, progress
        As every classifier takes them.
    pictures : bool
        Whether to classify the whole scene and keep the map.

    Returns
    -------
    Record
        Metrics: overall and average accuracy in %, and kappa. Arrays: by class the label, the
        accuracy in % (NaN where no pixel was judged) and how many pixels were. Picture: the class
        of every pixel, and the labels.
    """
    row, length = CLASSIFIERS[key.method], LENGTHS[key.profile]
    samples, by_place = condition_of(key.condition)
    split, labels, left_out = split_of(scene.labels, samples, key.seed, by_place=by_place)
    maps, origin = _beside(scene, row.added, network, key)
    judged = _judged(split.test, length.judged, key.seed)
    patches = length.patches.get(row.method)
    shorter = {"epochs": max(2, round(patches / split.train.sum()))} if patches else {}
    with Meter() as meter:
        fitted = METHODS[row.method](
            scene.cube,
            labels,
            split.train,
            abundances=maps,
            seed=key.seed,
            device=device,
            progress=progress,
            checkpoint=checkpoint,
            preset=length.preset,
            **shorter,
        )
        found = fitted.model.classify(scene.cube, maps, where=None if pictures else judged)
    truth = labels * judged
    scores = classification_scores(found, truth)
    classes = np.unique(labels[labels > 0])
    members = [truth == label for label in classes]
    notes = [*scene.notes]
    if left_out:
        named = ", ".join(f"{scene.names[n - 1]} ({size} pixels)" for n, size in left_out.items())
        notes.append(
            f"Classes left out, too few pixels {'apart ' * by_place}for {key.condition}: {named}."
        )
    short = []
    if judged.sum() < split.test.sum():
        short.append(f"{judged.sum()} of {split.test.sum()} test pixels, at random, are judged.")
    if patches:
        short.append(f"Trained on {patches} patches in all, not for the method's own epochs.")
    return Record(
        key,
        {"OA": 100 * scores["OA"], "AA": 100 * scores["AA"], "kappa": scores["kappa"]},
        fitted.curves,
        {
            "classes": classes,
            "accuracy": np.array(
                [
                    100 * np.mean(found[m] == n) if m.any() else np.nan
                    for n, m in zip(classes, members, strict=True)
                ]
            ),
            "judged": np.array([int(m.sum()) for m in members]),
        },
        {"classes": found.astype(np.uint8), "labels": labels.astype(np.uint8)} if pictures else {},
        {
            **fitted.settings,
            "preset": length.preset,
            "samples per class": samples,
            "training pixels": int(split.train.sum()),
            "by place": by_place,
            "names": list(scene.names),
            "left out": {scene.names[n - 1]: size for n, size in left_out.items()},
            "beside the bands": origin,
            "notes": notes,
            "shortened": short,
        },
        provenance(
            seed=key.seed,
            data_sha256=scene.sha256,
            wall_time_s=fitted.earlier_s + meter.wall_time_s,
            peak_memory_mb=meter.peak_memory_mb,
            device=device,
        ),
    )


def largest_shares(abundances: Tensor, count: int = APPENDED) -> tuple[Tensor, list[int]]:
    """Return the maps, of shape (N_g, H, W), with the largest share of a scene, and their numbers.

    Examples
    --------
    >>> maps, numbers = largest_shares(torch.tensor([0.1, 0.6, 0.3])[:, None, None], 2)
    >>> numbers
    [1, 2]
    """
    order = abundances.mean(dim=(1, 2)).argsort(descending=True, stable=True)[:count]
    return abundances[order], order.tolist()


def split_of(
    labels: Labels, samples: int, number: int, *, by_place: bool = False
) -> tuple[Split, Labels, dict[int, int]]:
    """Draw a split of the classes that have enough pixels.

    By place a class is left out where it alone cannot be laid out, and then the smallest, one by
    one, until the rest can: the same for all splits up to this number, or the usual five.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
    samples : int
        Training pixels per class.
    number : int
        Of the split.
    by_place : bool

    Returns
    -------
    split : Split
    labels : ndarray of int, shape (H, W)
        Without the classes that are left out.
    left_out : dict of int to int
        These classes, and how many pixels they have.

    Raises
    ------
    ParameterError
        If fewer than two classes have enough.
    """
    given = np.asarray(labels)
    found, sizes = np.unique(given[given > 0], return_counts=True)
    size = dict(zip(found.tolist(), sizes.tolist(), strict=True))
    kept = sorted((n for n in size if size[n] >= samples + LEAST), key=lambda n: size[n])
    count = max(SPLITS, number + 1)
    if by_place:
        kept = [n for n in kept if _drawn(given, [n], samples, count, by_place=True)]
    while len(kept) > 1:
        drawn = _drawn(given, kept, samples, count, by_place=by_place)
        if drawn:
            left_out = {n: size[n] for n in size if n not in kept}
            return drawn[number], np.where(np.isin(given, kept), given, 0), left_out
        kept = kept[1:]
    told = ", ".join(f"class {n}: {size[n]}" for n in size) or "none"
    raise ParameterError(
        f"Fewer than two classes can give {samples} training pixels and {LEAST} for the test"
        + (", apart in place." if by_place else "."),
        pixels=told,
        next_step="ask for fewer samples per class" + (", or draw at random" if by_place else ""),
    )


def _drawn(
    labels: Labels, classes: list[int], samples: int, count: int, *, by_place: bool
) -> list[Split]:
    """Return splits of some classes; none where they cannot be laid out by place."""
    some = np.where(np.isin(labels, classes), labels, 0)
    try:
        return splits(some, samples, count=count, by_place=by_place, patch=PATCH)
    except ParameterError:
        return []


def _judged(test: NDArray[np.bool_], most: int | None, seed: int) -> NDArray[np.bool_]:
    """Return which test pixels are judged: the same for every row of a split."""
    pixels = test.ravel().nonzero()[0]
    if most is None or len(pixels) <= most:
        return test
    chosen = np.zeros(test.size, dtype=bool)
    chosen[np.random.default_rng([seed, most]).permutation(pixels)[:most]] = True
    return chosen.reshape(test.shape)


def _beside(
    scene: Labelled, added: Added, network: Callable[[], Fitted], key: RecordKey
) -> tuple[Tensor | None, dict[str, Any]]:
    """Return what a row sees beside the bands, and where it comes from."""
    if not added:
        return None, {}
    if added == "colours":
        return scene.rgb.repeat(-(-APPENDED // 3), 1, 1)[:APPENDED], {"what": added}
    made = network().model.reconstruct(scene.rgb).abundances
    if made is None:
        raise ParameterError(
            f"The network of {scene.images!r} gives no abundances.",
            next_step="take a method that mixes a library: inss or pdass",
        )
    maps, numbers = largest_shares(made)
    origin = {
        "what": added,
        "scene": scene.images,
        "profile": key.profile,
        "seed": NETWORK_SEED,
        "code": code_hash(),
        "maps": numbers,
        "share": float(maps.sum(dim=0).mean()),
    }
    if added == "shuffled":
        order = np.random.default_rng(key.seed).permutation(maps[0].numel())
        maps = maps.flatten(1)[:, torch.from_numpy(order)].view_as(maps)
    return maps, origin
