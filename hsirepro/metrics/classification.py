r"""How well a map of classes agrees with the labels: overall and average accuracy, and kappa.

With n_ij the number of pixels of class i that are given class j, N their sum, n_i. that of a row
and n_.j that of a column,

    OA    = sum_i n_ii / N
    AA    = mean over classes i of n_ii / n_i.
    kappa = (OA - chance) / (1 - chance),     chance = sum_i n_i. n_.i / N^2      Cohen [1]_

Pixels of label 0 have no class and are left out. OA is ruled by the large classes, AA weighs all
alike. All are shares, not per cent as papers print them. The numbers are scikit-learn's.

References
----------
.. [1] J. Cohen, "A coefficient of agreement for nominal scales", Educ. Psychol. Meas. 20(1), 1960.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import ParameterError, ShapeError


def classification_scores(estimate: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """Score a map of classes.

    Parameters
    ----------
    estimate : array_like of int, shape (H, W)
        The class that was given to each pixel.
    truth : array_like of int, shape (H, W)
        Its label, 0 where it is not judged: for a split, ``labels * split.test``.

    Returns
    -------
    dict of str to float
        ``OA`` and ``AA`` from 0 to 1, and ``kappa`` from -1 to 1, which is NaN where truth and
        estimate are one and the same class throughout.

    Raises
    ------
    ShapeError
        If the maps differ in shape.
    ParameterError
        If they do not hold whole numbers from 0 on, or no pixel has a label.

    Examples
    --------
    >>> scores = classification_scores([[1, 1, 2], [2, 2, 1]], [[1, 1, 1], [2, 2, 0]])
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'OA': 0.8, 'AA': 0.833, 'kappa': 0.615}
    """
    from sklearn.metrics import accuracy_score, cohen_kappa_score, recall_score

    given, labels = _judged(estimate, truth)
    classes = np.unique(labels)
    if len(classes) == 1 and np.array_equal(given, labels):
        kappa = float("nan")  # scikit-learn would warn of 0 / 0
    else:
        kappa = float(cohen_kappa_score(labels, given))
    return {
        "OA": float(accuracy_score(labels, given)),
        "AA": float(recall_score(labels, given, labels=classes, average="macro")),
        "kappa": kappa,
    }


def confusion(estimate: ArrayLike, truth: ArrayLike) -> xr.DataArray:
    """Count the pixels of each class that were given each class.

    Parameters
    ----------
    estimate, truth : array_like of int, shape (H, W)
        As in :func:`classification_scores`.

    Returns
    -------
    DataArray of int, dims (truth, estimate)
        Labelled with the classes that occur in either.

    Raises
    ------
    ShapeError, ParameterError
        As :func:`classification_scores` does.

    Examples
    --------
    >>> counts = confusion([[1, 1, 4], [4, 4, 1]], [[1, 1, 1], [4, 4, 0]])
    >>> counts.values
    array([[2, 1],
           [0, 2]])
    >>> int(counts.sel(truth=1, estimate=4))
    1
    """
    from sklearn.metrics import confusion_matrix

    given, labels = _judged(estimate, truth)
    classes = np.union1d(labels, given)
    return xr.DataArray(
        confusion_matrix(labels, given, labels=classes),
        dims=("truth", "estimate"),
        coords={"truth": classes, "estimate": classes},
    )


def _judged(estimate: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the classes and the labels of the pixels that have a label."""
    given, labels = np.asarray(estimate), np.asarray(truth)
    if given.shape != labels.shape:
        raise ShapeError(
            f"The map of classes has shape {given.shape}, the labels {labels.shape}.",
            next_step="give a class and a label for every pixel of one scene",
        )
    for name, values in (("map of classes", given), ("labels", labels)):
        if values.dtype.kind not in "iu" or (values.size and values.min() < 0):
            raise ParameterError(
                f"The {name} must hold whole numbers from 0 on; they are {values.dtype}"
                + (f" from {values.min()} on." if values.size else "."),
                next_step="0 marks a pixel without a label",
            )
    known = labels > 0
    if not known.any():
        raise ParameterError(
            "No pixel has a label: there is nothing to judge by.",
            next_step="give labels from 1 on; 0 marks a pixel without one",
        )
    return given[known].astype(np.int64), labels[known].astype(np.int64)
