"""Label maps lie on the pixels of their scenes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from hsirepro.errors import FormatError
from hsirepro.scenes import CATALOGUE
from hsirepro.scenes.labels import open_labels

CLASSES = {"ksc": 13, "pavia-university": 9, "salinas": 16, "indian-pines": 16}


@pytest.mark.parametrize("scene", CLASSES)
def test_published_maps_have_the_published_classes(scene, data_dir):
    """The map has the scene's size, and every class from 1 to the number that papers give."""
    labels = open_labels(scene)
    assert labels is not None
    assert labels.shape == tuple(CATALOGUE[scene].shape[:2])
    assert set(np.unique(labels)) == set(range(CLASSES[scene] + 1))


def test_a_scene_without_a_map_has_none():
    """Neither a crop without labels, nor the planted scene, nor a file of one's own."""
    assert open_labels("jasper-ridge") is None
    assert open_labels("planted") is None
    assert open_labels("my/own.hdr") is None


def test_a_map_of_another_size_is_refused(tmp_path, monkeypatch):
    """Labels that do not lie on the scene would train a network on the wrong pixels."""
    file = tmp_path / "KSC_gt.mat"
    savemat(file, {"gt": np.ones((5, 6))})
    monkeypatch.setattr("hsirepro.scenes.labels.find", lambda _: file)
    with pytest.raises(FormatError, match="holds 0 maps of 512 x 614"):
        open_labels("ksc")
