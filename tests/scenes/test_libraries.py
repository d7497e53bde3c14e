"""Spectral libraries: read from every form, chosen from, and resampled as USGS does."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from hsirepro.errors import FormatError, ParameterError, SceneNotFound, WavelengthError
from hsirepro.papers.inss import inss_library, title_hash
from hsirepro.papers.inss.library import COUNT, TITLES
from hsirepro.scenes.libraries import (
    complete,
    make_library,
    open_library,
    resample,
    usgs_library,
    without_constructs,
)

FOLDER = Path(os.environ.get("HSIREPRO_DATA", "").split(os.pathsep)[0] or "nowhere")
needs_data = pytest.mark.skipif(
    not (FOLDER / "libraries").is_dir(), reason="HSIREPRO_DATA holds no spectral libraries"
)
NM = np.linspace(400.0, 1000.0, 121)


def library(fwhm=5.0):
    """Return a straight line, a bell at 700 nm, and one of them with a deleted channel."""
    bell = np.exp(-0.5 * ((NM - 700) / 40) ** 2)
    spectra = np.stack([NM / 1000, bell, bell])
    spectra[2, 60] = -1.23e34
    titles = ["Line A1 ASDFRa AREF", "Bell  B2 ASDFRa AREF", "Bell C3 ASDFRa AREF"]
    return make_library(spectra, titles, NM, np.full(121, fwhm), ["S", "V", "V"])


# What a library is


def test_titles_are_those_of_files_and_deleted_channels_are_missing():
    """Blanks become underscores, and -1.23e34 is no reflectance."""
    made = library()
    assert made.title.values.tolist()[1] == "Bell_B2_ASDFRa_AREF"
    assert np.isnan(made.values[2, 60])
    assert complete(made).title.values.tolist() == made.title.values.tolist()[:2]
    with pytest.raises(FormatError, match="1 titles and 121 wavelengths"):
        make_library(np.zeros((2, 121)), ["one"], NM)


def test_constructs_are_no_spectra():
    """Shifted copies of a lawn, made to try programs out, can be left out; the lawn stays."""
    ends = ("+const_1.0", "/shiftd_3nm", "green")
    titles = [f"LawnGrass_GDS91b_{end}_ASDFRa_AREF" for end in ends]
    made = make_library(np.ones((3, 2)), titles, [500, 600])
    assert "LawnGrass_GDS91b_-shiftd_3nm_ASDFRa_AREF" in made.title.values
    (left,) = without_constructs(made).title.values.tolist()
    assert left == "LawnGrass_GDS91b_green_ASDFRa_AREF"


# Resampling


def test_a_line_stays_a_line_and_a_constant_a_constant():
    """A symmetric band sees the value at its centre of what is straight."""
    centres, widths = np.array([450.0, 633.0, 905.0]), np.array([20.0, 35.0, 12.0])
    seen = resample(library(), centres, widths)
    np.testing.assert_allclose(seen.values[0], centres / 1000, atol=1e-6)
    assert seen.fwhm.values.tolist() == widths.tolist()
    assert seen.chapter.values.tolist() == ["S", "V", "V"]


def test_widths_add_in_squares():
    """A Gaussian bell seen by a Gaussian band is lower by the formula.

    The library's own width is taken off the band's.
    """
    width = 60.0
    (seen,) = resample(library(fwhm=20.0)[1:2], [700.0], [width]).values
    sigma = np.sqrt(width**2 - 20.0**2) / (2 * np.sqrt(2 * np.log(2)))
    assert seen[0] == pytest.approx(40 / np.hypot(40, sigma), rel=1e-4)


def test_a_band_as_narrow_as_the_library_takes_the_nearest_channel():
    """Nothing finer than the library can be seen."""
    near = resample(library(fwhm=10.0), [702.0], [8.0])
    np.testing.assert_array_equal(near.values[:2, 0], library().values[:2, 60])


def test_half_of_a_band_must_be_seen():
    """A deleted channel is passed over by a wide band, and is one in a narrow band."""
    seen = resample(library(), [700.0, 700.0], [5.5, 60.0])
    assert np.isnan(seen.values[2, 0])
    assert seen.values[2, 1] == pytest.approx(seen.values[1, 1], abs=0.03)


def test_the_order_of_a_sensor_is_kept():
    """Bands that step back, as those of AVIRIS, come in the order asked for, from any order."""
    centres, widths = [650.0, 680.0, 660.0], [20.0] * 3
    straight = resample(library(), centres, widths)
    assert straight.wavelength.values.tolist() == centres
    mixed = library().isel(wavelength=np.random.default_rng(0).permutation(121))
    np.testing.assert_allclose(resample(mixed, centres, widths), straight)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: resample(library(), [300.0], [10.0]), WavelengthError, "1 bands lie outside"),
        (lambda: resample(library(), [500.0], [0.0]), ParameterError, "widths above 0"),
        (lambda: resample(library(), [500.0], [9.0, 9.0]), ParameterError, "as many widths"),
        (
            lambda: resample(make_library(np.ones((1, 2)), ["a"], [1, 2]), [1.5], [1]),
            WavelengthError,
            "does not say how wide",
        ),
        (lambda: open_library("nowhere.sli"), SceneNotFound, "no spectral library 'nowhere.sli'"),
        (lambda: inss_library(library()), FormatError, "leads to 2 spectra, and not to the 345"),
    ],
)
def test_what_cannot_be_is_said(call, error, text):
    """The message names what is wrong."""
    with pytest.raises(error, match=text):
        call()


# Files


@pytest.fixture
def release(tmp_path):
    """Return a folder like those of the official release, of two spectra at three bands."""

    def write(name, head, values):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes("\r\n".join([head, *(f" {v:.7e}" for v in values)]).encode("latin-1"))

    write("s07_AV14_Wavelengths_in_microns.txt", "s07_AV14 Record=1: Wavelengths", [0.4, 0.5, 0.6])
    write("s07_AV14_Resolution_in_microns.txt", "s07_AV14 Record=2: Resolution", [0.01] * 3)
    brick, leaf = "Brick_GDS347_Tan_ASDFRa_AREF", "Leaf_(Green)_BECKa_AREF"
    write(f"ChapterA_Artificial/s07_AV14_{brick}.txt", "s07 Record=3: Brick", [0.1, 0.2, 0.3])
    write(f"ChapterV_Plants/s07_AV14_{leaf}.txt", "s07 Record=4: Leaf", [0.1, -1.23e34, 0.3])
    write("errorbars/errorbars_for_Brick.txt", "s07 Record=5: errorbars to Brick", [0, 0, 0])
    return tmp_path


def test_the_official_folder_is_read(release):
    """Titles from file names, chapters from folders, micrometres to nm, no error bars."""
    made = open_library(release)
    assert made.title.values.tolist() == ["Brick_GDS347_Tan_ASDFRa_AREF", "Leaf_(Green)_BECKa_AREF"]
    assert made.chapter.values.tolist() == ["A", "V"]
    np.testing.assert_allclose(made.wavelength, [400, 500, 600])
    np.testing.assert_allclose(made.fwhm, 10.0)
    np.testing.assert_allclose(made.values, [[0.1, 0.2, 0.3], [0.1, np.nan, 0.3]])


def test_damaged_folders_say_what_they_lack(release):
    """Two lists, a short spectrum, words for numbers, nothing at all."""
    spectrum = next(release.glob("ChapterA*/*.txt"))
    good = spectrum.read_bytes()
    spectrum.write_bytes(good[:-16])
    with pytest.raises(FormatError, match="has 2 channels, the list of wavelengths 3"):
        open_library(release)
    spectrum.write_bytes(good + b"\r\nend")
    with pytest.raises(FormatError, match="no column of numbers"):
        open_library(release)
    (release / "more_Wavelengths.txt").write_text("x\n1\n")
    with pytest.raises(FormatError, match="2 lists of wavelengths and 1 of widths"):
        open_library(release)
    other = release / "x.npz"
    np.savez(other, reflectance=np.ones(3))
    with pytest.raises(FormatError, match=r"'x\.npz' holds no spectral library"):
        open_library(other)
    other.with_suffix(".hdr").write_text("no header")
    with pytest.raises(FormatError, match="no ENVI spectral library"):
        open_library(other.with_suffix(".hdr"))


def test_no_library_is_said_with_where_to_look(monkeypatch, tmp_path):
    """Where it was looked for, and what else can be opened."""
    monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path))
    with pytest.raises(SceneNotFound) as caught:
        usgs_library()
    assert str(tmp_path / "libraries") in str(caught.value)


# The real library


@needs_data
def test_the_official_gypsum_is_the_one_in_the_arrays():
    """The vector that USGS gives for AVIRIS 2014, to 1e-6."""
    file = next((FOLDER / "libraries").glob("*Gypsum_HS333*"))
    official = np.array([float(line) for line in file.read_text("latin-1").split("\n")[1:] if line])
    ours = usgs_library()
    row = ours.title.values.tolist().index("Gypsum_HS333.1B_(Selenite)_ASDFRa_AREF")
    np.testing.assert_allclose(ours.values[row], official, atol=1e-6)


@needs_data
def test_resampling_does_what_usgs_does():
    """Full-resolution spectra brought to AVIRIS 1995: the library that USGS convolved itself."""
    fine = open_library(FOLDER / "libraries" / "usgs_splib07a_asd_chapters_ALSV.npz")
    official = open_library(FOLDER / "libraries" / "s07_AV95_envi.sli")
    assert not any("error_bars" in title for title in official.title.values.tolist())
    rows = {title: row for row, title in enumerate(official.title.values.tolist())}
    fine = complete(fine)
    fine = fine.isel(spectrum=[title in rows for title in fine.title.values.tolist()])
    assert len(fine) > 300
    theirs = official.isel(spectrum=[rows[title] for title in fine.title.values.tolist()])
    inside = theirs.wavelength.values <= 2500.0
    theirs = theirs.isel(wavelength=inside)
    ours = resample(fine, theirs.wavelength, theirs.fwhm)
    apart = np.abs(ours.values - theirs.values)
    assert np.nanmedian(apart) < 1e-6
    assert np.sqrt(np.nanmean(apart**2)) < 2e-3


@needs_data
def test_the_subset_of_inss_is_the_published_one():
    """The same 345 titles in the same order, and values within 8e-4 of theirs."""
    ours = inss_library()
    assert len(ours) == COUNT
    assert title_hash(ours) == TITLES
    with h5py.File(FOLDER / "scenes/casi/pdass/spe_chose_345.mat") as file:
        names = ["".join(map(chr, file[ref][:].ravel())) for ref in file["name_chose"][:].ravel()]
        theirs = file["spe_chose"][:].T
    assert ours.title.values.tolist() == names
    apart = np.abs(ours.values - theirs)
    assert apart.max() < 8e-4
    assert np.median(apart.max(axis=1)) < 2e-6
    honest = without_constructs(ours)
    assert len(honest) == COUNT - 5
    assert ours.values.max() > 1.2
    assert honest.values.max() < 1.0  # what exceeds 1 in the published list was never measured


@needs_data
def test_aviris_steps_back_where_its_spectrometers_overlap():
    """The channels stay in the sensor's order."""
    nm = usgs_library().wavelength.values
    assert np.flatnonzero(np.diff(nm) < 0).tolist() == [31, 95, 159]
    assert isinstance(usgs_library(), xr.DataArray)
