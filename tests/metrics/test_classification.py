"""Accuracies and kappa on known maps."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.metrics.classification import classification_scores, confusion

# Rows: truth, columns: estimate.
COUNTS = np.array([[45, 4, 1], [6, 22, 2], [0, 5, 15]])
CLASSES = np.array([2, 3, 11])


def maps(counts: np.ndarray = COUNTS) -> tuple[np.ndarray, np.ndarray]:
    """Return the map of classes and the labels that these counts are of, shuffled."""
    i, j = np.indices(counts.shape)
    truth, estimate = (CLASSES[k.ravel()].repeat(counts.ravel()) for k in (i, j))
    order = np.random.default_rng(0).permutation(len(truth))
    return estimate[order].reshape(10, -1), truth[order].reshape(10, -1)


def test_scores_are_those_of_the_formulas():
    """OA, AA and kappa by hand: 82 of 100 right, classes of 50, 30 and 20."""
    scores = classification_scores(*maps())
    assert list(scores) == ["OA", "AA", "kappa"]
    assert scores["OA"] == pytest.approx(0.82, abs=1e-12)
    assert scores["AA"] == pytest.approx((45 / 50 + 22 / 30 + 15 / 20) / 3, abs=1e-12)
    chance = 0.50 * 0.51 + 0.30 * 0.31 + 0.20 * 0.18
    assert scores["kappa"] == pytest.approx((0.82 - chance) / (1 - chance), abs=1e-12)


def test_confusion_is_counted_by_name():
    """Rows are the truth and columns the estimate, each under its own class."""
    found = confusion(*maps())
    np.testing.assert_array_equal(found.values, COUNTS)
    assert int(found.sel(truth=3, estimate=2)) == 6
    assert found.dims == ("truth", "estimate")


def test_unlabelled_pixels_are_not_judged():
    """Whatever a map says where there is no label, the scores stay."""
    estimate, truth = maps()
    wider = [np.hstack([part, other]) for part, other in ((estimate, estimate), (truth, 0 * truth))]
    assert classification_scores(*wider) == classification_scores(estimate, truth)
    np.testing.assert_array_equal(confusion(*wider), confusion(estimate, truth))


def test_a_pixel_without_an_answer_is_wrong():
    """0 in the map of classes, where there is a label, is a miss and not a pardon."""
    estimate, truth = maps()
    silent = np.where(estimate == 11, 0, estimate)
    scores = classification_scores(silent, truth)
    assert scores["OA"] == pytest.approx(0.67)
    assert scores["AA"] == pytest.approx((45 / 50 + 22 / 30 + 0) / 3)


def test_names_of_classes_are_of_no_account():
    """The same map under other numbers has the same scores."""
    estimate, truth = maps()
    renamed = np.zeros(12, dtype=int)
    renamed[CLASSES] = [7, 1, 4]
    expected = classification_scores(estimate, truth)
    assert classification_scores(renamed[estimate], renamed[truth]) == pytest.approx(expected)


def test_a_class_that_is_only_in_the_estimate_has_no_accuracy():
    """AA is the mean over the classes of the truth; others only take pixels away."""
    scores = classification_scores([[1, 1, 9, 2]], [[1, 1, 1, 2]])
    assert scores["AA"] == pytest.approx((2 / 3 + 1) / 2)


def test_bounds():
    """The truth scores 1 throughout, a map of one class as the majority, and kappa 0."""
    truth = maps()[1]
    assert classification_scores(truth, truth) == {"OA": 1.0, "AA": 1.0, "kappa": 1.0}
    constant = classification_scores(np.full_like(truth, 2), truth)
    assert constant == pytest.approx({"OA": 0.5, "AA": 1 / 3, "kappa": 0.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = classification_scores(np.full_like(truth, 2), np.full_like(truth, 2))
    assert alone["OA"] == alone["AA"] == 1.0
    assert np.isnan(alone["kappa"])


@pytest.mark.parametrize("function", [classification_scores, confusion])
@pytest.mark.parametrize(
    ("error", "estimate", "truth", "text"),
    [
        (
            ShapeError,
            np.ones((3, 4), dtype=int),
            np.ones((4, 3), dtype=int),
            "The map of classes has shape (3, 4), the labels (4, 3).",
        ),
        (ParameterError, [[1.0]], [[1]], "The map of classes must hold whole numbers from 0 on"),
        (ParameterError, [[1]], [[-1]], "The labels must hold whole numbers from 0 on; they are"),
        (ParameterError, [[1]], [[0]], "No pixel has a label: there is nothing to judge by."),
    ],
)
def test_maps_that_cannot_be_judged_are_named(function, error, estimate, truth, text):
    """The thing, and the next step."""
    with pytest.raises(error) as caught:
        function(estimate, truth)
    assert text in str(caught.value)
    assert "next step" in str(caught.value)
