"""Spectral responses: Landsat 8 OLI, cameras, tables of the user."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from hsirepro.errors import (
    FormatError,
    ParameterError,
    SceneNotFound,
    ShapeError,
    WavelengthError,
)
from hsirepro.optics import SpectralResponse, camera, landsat8_oli, read_cameras, read_response

NOMINAL = np.array(
    [nm for nm in range(400, 2501, 10) if not (1050 <= nm <= 1140 or 1850 <= nm <= 1940)], float
)
ALL_SIX = ("blue", "green", "red", "nir", "swir1", "swir2")


def half_maximum(srf: SpectralResponse, row: int) -> tuple[float, float]:
    """Half-maximum limits of one band, interpolated between the bands of the cube."""
    response = srf.matrix[row].double().numpy()
    fine = np.linspace(srf.wavelengths[0], srf.wavelengths[-1], 40_001)
    above = fine[np.interp(fine, srf.wavelengths, response / response.max()) >= 0.5]
    return float(above[0]), float(above[-1])


# Lower and upper half maximum and centroid in nm, measured on the tables of HyCoNet's release.
RELEASED = [
    (
        "indian-pines",
        NOMINAL,
        ALL_SIX,
        [
            (455, 515, 485),
            (534, 590, 562),
            (635, 675, 655),
            (852, 877, 864),
            (1566, 1652, 1609),
            (2107, 2294, 2201),
        ],
    ),
    (
        "pavia-university",
        np.arange(466.0, 835, 4),
        ALL_SIX[:3],
        [(466, 512, 489), (532, 590, 561), (636, 673, 655)],
    ),
    (
        "houston-2018",
        np.linspace(403, 1047, 46),
        ALL_SIX[:3],
        [(454, 510, 482), (536, 593, 564), (639, 669, 654)],
    ),
]


@pytest.mark.parametrize(
    ("wavelengths", "bands", "limits"), [row[1:] for row in RELEASED], ids=[r[0] for r in RELEASED]
)
def test_oli_on_the_grids_of_hyconet(wavelengths, bands, limits):
    """OLI sampled on a paper's grid has the limits and centroids of the paper's own tables."""
    srf = landsat8_oli(wavelengths, bands)
    for row, (low, high, centroid) in enumerate(limits):
        assert half_maximum(srf, row) == pytest.approx((low, high), abs=1.0)
        assert srf.centres[row] == pytest.approx(centroid, abs=1.1)


def test_oli_on_a_fine_grid_has_the_published_centres():
    """On a 1 nm grid the centroids are the published OLI band centres to within 2.5 nm."""
    bands = ("coastal", *ALL_SIX, "pan")
    published = [442.96, 482.04, 561.41, 654.59, 864.67, 1608.86, 2200.73, 589.50]
    srf = landsat8_oli(np.arange(400.0, 2501.0), bands)
    assert srf.centres == pytest.approx(published, abs=2.5)


def test_oli_table_is_the_source_table(data_dir):
    """The table in the package is the public one: trimmed, not altered."""
    source = data_dir / "responses" / "Landsat_8_Spectral_Response.csv"
    if not source.is_file():
        pytest.skip(f"{source.name} is not in HSIREPRO_DATA")
    table = read_response(source)
    grid = table.wavelengths
    for ours, theirs in zip(
        ALL_SIX, ("Blue", "Green", "Red", "NIR", "SWIR1", "SWIR2"), strict=True
    ):
        expected = np.clip(table.values[:, table.names.index(theirs)], 0, None)
        got = landsat8_oli(grid, [ours]).matrix[0].double().numpy()
        np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-6, atol=1e-12)


def test_rows_sum_to_one_and_coverage_bounds_them():
    """A response is a weighted mean: non-negative rows of sum 1, zero outside their coverage."""
    srf = landsat8_oli(NOMINAL, ALL_SIX)
    torch.testing.assert_close(srf.matrix.sum(1), torch.ones(6))
    assert (srf.matrix >= 0).all()
    for row, (first, last) in zip(srf.matrix, srf.coverage, strict=True):
        assert row[first] > 0
        assert row[last] > 0
        assert float(row[first : last + 1].sum()) == pytest.approx(float(row.sum()))
    assert NOMINAL[srf.coverage[0][0]] == 440
    assert NOMINAL[srf.coverage[0][1]] == 520


def test_bands_come_in_the_order_asked_for():
    """Names, rows and centroids follow the caller's order."""
    forward, backward = landsat8_oli(NOMINAL), landsat8_oli(NOMINAL, ["red", "green", "blue"])
    assert backward.names == ("red", "green", "blue")
    torch.testing.assert_close(backward.matrix, forward.matrix.flip(0))


def test_response_does_not_depend_on_the_order_of_the_cube():
    """Cubes with overlapping detectors have unsorted wavelengths; the response follows them."""
    order = np.random.default_rng(0).permutation(len(NOMINAL))
    torch.testing.assert_close(
        landsat8_oli(NOMINAL[order]).matrix, landsat8_oli(NOMINAL).matrix[:, order]
    )


def test_too_few_bands_names_the_broad_band():
    """A cube that stops before the near infrared cannot feed an NIR band."""
    with pytest.raises(WavelengthError) as caught:
        landsat8_oli(np.arange(400, 701, 10), ("red", "nir"))
    text = str(caught.value)
    assert "fewer bands than the spectral response needs: none lies in 'nir'" in text
    assert "31 bands from 400 nm to 700 nm" in text
    assert "half maximum  851 nm to 878 nm" in text


def test_tails_alone_do_not_count_as_coverage():
    """A band seen only through the foot of its response is refused, not blown up to sum 1."""
    with pytest.raises(WavelengthError, match="'nir'"):
        landsat8_oli([820.0, 834.0], ["nir"])


def test_response_is_zero_outside_its_table():
    """A table that ends before its curve has fallen to zero is not drawn out over the cube."""
    srf = SpectralResponse.from_table([400, 500], [[1.0], [0.8]], [390, 450, 510], ["a"])
    assert srf.matrix.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: landsat8_oli(NOMINAL, ["gren"]), ParameterError, "did you mean 'green'?"),
        (lambda: SpectralResponse([[1, 1]], ["a"], [500]), ShapeError, "1 wavelengths"),
        (lambda: SpectralResponse([[0, 0]], ["a"], [1, 2]), WavelengthError, "Band 'a' has no"),
        (lambda: SpectralResponse([[1, np.nan]], ["a"], [1, 2]), ParameterError, "NaN"),
        (
            lambda: SpectralResponse.from_table([500, 400], [[1], [1]], [450], ["a"]),
            ParameterError,
            "increasing wavelengths",
        ),
        (
            lambda: SpectralResponse.from_table([400, 500], [[1], [1]], [450], ["a", "b"]),
            ShapeError,
            "table of shape (2, 1)",
        ),
        (
            lambda: SpectralResponse.from_table([400, 500], [[0], [0]], [450], ["a"]),
            WavelengthError,
            "its column is empty",
        ),
        (
            lambda: landsat8_oli(NOMINAL)(torch.rand(1, 5, 4, 4)),
            ShapeError,
            "takes images with 191 bands here",
        ),
    ],
)
def test_bad_response_is_named(call, error, text):
    """A response that does not fit is refused with the band or shape that is wrong."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_own_table_is_read(tmp_path, separator):
    """A table with comments, any usual separator and a byte order mark gives its own centroids."""
    rows = [["nm", "a", "b"], ["400", "0", "0"], ["500", "1", "0.5"], ["600", "0", "1"]]
    path = tmp_path / "mine.csv"
    lines = ["# my sensor", *(separator.join(row) for row in rows), ""]
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    srf = read_response(path).on([400, 500, 600])
    assert srf.names == ("a", "b")
    assert srf.centres == pytest.approx([500, 566.6667], abs=1e-3)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "has no rows"),
        ("nm,a\n400,1\n500,x\n", "row       500, x"),
        ("nm,a\n400,1\n500,1,2\n", "is not 2 finite numbers"),
        ("nm,a\n400,1\n500,nan\n", "is not 2 finite numbers"),
        ("nm,a\n400,1\n400,2\n", "do not increase at 400 nm"),
        ("nm,a,a\n400,1,1\n500,2,2\n", "names each band once"),
        ("nm\n400\n500\n", "names each band once"),
    ],
)
def test_malformed_table_is_named(tmp_path, content, text):
    """A file that is no response table is refused with the row or header that is wrong."""
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(FormatError) as caught:
        read_response(path)
    assert text in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_missing_table_is_named(tmp_path):
    """A table that is not there is named with its path."""
    with pytest.raises(FormatError, match=r"absent\.csv' cannot be read"):
        read_response(tmp_path / "absent.csv")


def fake_database(path):
    grid = np.arange(400, 721, 10)
    curves = [np.exp(-(((grid - peak) / 30) ** 2)) for peak in (600, 540, 460)]
    rows = ["\t".join(f"{value:.6g}" for value in curve) for curve in curves]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["", "http://a.b/c", "400nm-720nm", "-----", "", "Acme One", *rows]))


def test_camera_from_a_database(tmp_path, monkeypatch):
    """A camera is found by name in the second data folder; red lies above green above blue."""
    fake_database(tmp_path / "second" / "responses" / "camspec_database.txt")
    monkeypatch.setenv(
        "HSIREPRO_DATA", os.pathsep.join(str(tmp_path / name) for name in ("first", "second"))
    )
    srf = camera("acme one", np.arange(400, 701, 10))
    assert srf.names == ("red", "green", "blue")
    assert srf.centres == pytest.approx([600, 540, 460], abs=2)
    with pytest.raises(ParameterError, match="did you mean 'Acme One'"):
        camera("Acme On", np.arange(400, 701, 10))


def test_missing_camera_database_is_named(tmp_path, monkeypatch):
    """Without the database the error names the file, the places and what works right now."""
    monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path))
    with pytest.raises(SceneNotFound) as caught:
        camera("Nikon D700", [500])
    for part in ("camspec_database.txt", str(tmp_path), "landsat8_oli"):
        assert part in str(caught.value)
    monkeypatch.delenv("HSIREPRO_DATA")
    with pytest.raises(SceneNotFound, match="HSIREPRO_DATA is not set"):
        camera("Nikon D700", [500])


def test_file_that_is_no_camera_database_is_named(tmp_path):
    """A file without a single camera is refused."""
    path = tmp_path / "camspec_database.txt"
    path.write_text("hello\n1 2 3\n")
    with pytest.raises(FormatError, match="holds no camera"):
        read_cameras(path)


def test_real_camera_database(data_dir):
    """The database has 28 cameras; the Nikon D700 peaks at 590, 530 and 460 nm."""
    path = data_dir / "responses" / "camspec_database.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in HSIREPRO_DATA")
    assert len(read_cameras(path)) == 28
    srf = camera("Nikon D700", np.arange(400, 721, 10))
    peaks = srf.wavelengths[srf.matrix.argmax(dim=1).numpy()]
    assert peaks.tolist() == [590, 530, 460]


def test_coverage_starts_at_half_the_peak():
    """A cube with one band just inside the half maximum is covered, just outside it is not."""
    table = ([400, 450, 500], [[0.0], [1.0], [0.0]])
    assert SpectralResponse.from_table(*table, [426.0], ["a"]).matrix.tolist() == [[1.0]]
    with pytest.raises(WavelengthError):
        SpectralResponse.from_table(*table, [424.0], ["a"])
