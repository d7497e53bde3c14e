"""Which bands an image kept: found on planted radiance, checked on real scenes of known bands."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hsirepro.errors import PixelError, SceneNotFound, ShapeError
from hsirepro.scenes import open_scene
from hsirepro.scenes.alignment import brightness_groups, kept_bands
from hsirepro.scenes.catalogue import CATALOGUE
from hsirepro.scenes.libraries import resample
from hsirepro.scenes.solar import SPECTRA, optical_depth, solar_spectra

FOLDER = Path(os.environ.get("HSIREPRO_DATA", "").split(os.pathsep)[0] or "nowhere")
KNOWN = FOLDER / "scenes/envi/f080702t01p00r08rdn_c_sc01_ort_img_123_456.hdr"
needs_sun = pytest.mark.skipif(
    not (FOLDER / "responses" / "astmg173.csv").is_file(), reason="HSIREPRO_DATA holds no ASTM G173"
)
needs_data = pytest.mark.skipif(
    not KNOWN.is_file(), reason="HSIREPRO_DATA holds no radiance spectrum of AVIRIS"
)
CROPS = [name for name in CATALOGUE if name.startswith("abu-")]


def sensor():
    """Return depths of 120 bands with lines in them, and radiance through such an atmosphere."""
    number = np.arange(120)
    rng = np.random.default_rng(3)
    depth = 0.05 + sum(
        height * np.exp(-0.5 * ((number - place) / width) ** 2)
        for place, height, width in ((20, 0.8, 1.5), (35, 0.5, 1), (60, 5, 3), (80, 0.7, 2))
    )
    lines = np.exp(-0.2 * rng.random(120))  # those of the Sun
    return depth, lines


def image(depth, lines, factor, colour):
    """Return radiance in counts over grounds of reflectance that changes slowly."""
    number = np.arange(120)
    ground = 0.4 + 0.2 * np.sin(number / colour) * np.array([[0.5], [1.0]])
    return 4000.0 * ground * lines * np.exp(-factor * depth)


@pytest.mark.parametrize(
    "kept",
    [
        np.arange(120),
        np.r_[3:57, 64:120],
        np.r_[0:30, 31:57, 64:115],
    ],
    ids=["all", "without start and window", "with one lone band out"],
)
def test_planted_bands_are_found(kept):
    """Other grounds, and half as much vapour again: the same bands."""
    depth, lines = sensor()
    reference = image(depth, lines, 1.0, colour=40)[0]
    found = kept_bands(image(depth, lines, 1.5, colour=25)[:, kept], reference, depth)
    assert (np.diff(found) > 0).all()
    # Inside the opaque window nothing tells one band from the next.
    clear = depth[kept] < 2
    assert (found[clear] == kept[clear]).all()


def test_brightness_does_not_matter():
    """A gain moves every logarithm alike."""
    depth, lines = sensor()
    kept = np.r_[2:50, 58:120]
    spectra = image(depth, lines, 1.2, colour=30)[:, kept]
    reference = image(depth, lines, 1.0, colour=40)[0]
    assert kept_bands(spectra * 3, reference, depth).tolist() == kept.tolist()


@pytest.mark.parametrize(
    ("spectra", "error", "text"),
    [
        (np.ones((1, 9)), ShapeError, "9 bands, and the sensor only 8"),
        (np.full((1, 4), np.nan), PixelError, "NaN"),
    ],
)
def test_what_cannot_be_placed_is_refused(spectra, error, text):
    """More bands than the sensor has, and values that are none."""
    with pytest.raises(error, match=text):
        kept_bands(spectra, np.ones(8), np.zeros(8))


def test_depths_go_with_the_reference():
    """One depth per band of the sensor."""
    with pytest.raises(ShapeError, match="do not fit"):
        kept_bands(np.ones((1, 4)), np.ones(8), np.zeros(7))


def test_a_missing_solar_table_is_named(monkeypatch):
    """With the folder it is looked for in."""
    monkeypatch.setenv("HSIREPRO_DATA", "")
    with pytest.raises(SceneNotFound, match=r"astmg173\.csv"):
        solar_spectra()


# On real files


@needs_sun
def test_the_atmosphere_takes_light_where_its_gases_do():
    """Oxygen at 762 nm, vapour at 942 nm and 1.38 um; hardly anything at 870 nm and 1.65 um."""
    nm = np.array([762.0, 870.0, 942.0, 1380.0, 1650.0])
    depth = optical_depth(nm, np.full(5, 10.0))
    assert depth[3] > 5
    assert depth[0] > 2 * depth[1]
    assert depth[2] > 2 * depth[1]
    assert depth[4] < 0.15


@needs_sun
def test_irradiances_keep_what_they_hold():
    """The constant of the Sun and the 900 W m^-2 of direct light, by the table's own steps."""
    spectra = solar_spectra()
    total = np.trapezoid(spectra.values, spectra.wavelength.values, axis=1)
    assert total == pytest.approx([1347.9, 1000.4, 900.1], abs=0.3)


@needs_data
@pytest.mark.parametrize("scene", CROPS)
def test_the_catalogue_says_what_the_alignment_finds(scene):
    """The band lists of the ABU crops were not typed from anywhere else."""
    reference = open_scene(str(KNOWN))
    fwhm = usgs_list("Resolution")
    spectra = brightness_groups(open_scene(scene).values)
    found = kept_bands(
        spectra, reference.values.ravel(), optical_depth(reference.wavelength.values, fwhm)
    )
    expected = usgs_list("Wavelengths")[found]
    assert CATALOGUE[scene].wavelengths == pytest.approx(expected, abs=0.006)


@needs_data
def test_how_far_off_it_is_on_scenes_of_known_bands():
    """Two scenes whose bands are known, under the Sun and another air, with random gaps.

    Both are reflectance, so their light is made here: ASTM G173 through 0.7 to 1.5 of its
    depth, haze, noise, and band centres that lie up to 3 nm elsewhere.
    """
    reference = open_scene(str(KNOWN))
    nm, fwhm = reference.wavelength.values, usgs_list("Resolution")
    depth = optical_depth(nm, fwhm)
    sun = resample(solar_spectra(), nm, fwhm).values[SPECTRA.index("extraterrestrial")]
    rng = np.random.default_rng(0)
    off, exact = [], []
    for ground in (full_jasper_ridge(), full_vegetation()):
        for _ in range(3):
            kept = random_bands(rng)
            air = np.exp(-rng.uniform(0.7, 1.5) * optical_depth(nm + rng.uniform(-3, 3), fwhm))
            light = sun * (air * ground + 0.08 * (nm / 450.0) ** -4)
            gains = np.r_[np.full(110, 450.0), np.full(50, 900.0), np.full(64, 1800.0)]
            radiance = light * gains + rng.normal(0.0, 2.0, ground.shape)
            found = kept_bands(radiance[:, kept], reference.values.ravel(), depth)
            off.append(np.abs(found - kept).mean())
            exact.append((found == kept).mean())
    assert np.mean(off) < 0.4  # of a band of 10 nm
    assert np.mean(exact) > 0.9


def random_bands(rng):
    """Leave out bands where published lists do: the ends, the water windows, a lone one."""
    gaps = [
        np.arange(rng.integers(0, 4)),
        rng.integers(104, 109) + np.arange(rng.integers(4, 12)),
        rng.integers(150, 155) + np.arange(rng.integers(8, 18)),
        np.arange(224 - rng.integers(1, 6), 224),
    ]
    return np.setdiff1d(np.arange(224), np.concatenate(gaps))


def full_jasper_ridge():
    """Return four spectra of Jasper Ridge with all 224 bands; empty ones are filled."""
    import scipy.io

    stored = scipy.io.loadmat(FOLDER / "scenes/unmixing/JasperRidge2_F224_2.mat")["Y"]
    return filled(brightness_groups(stored.T.astype(float)[None]))


def full_vegetation():
    """Return four spectra of the vegetation demonstration scene, likewise."""
    return filled(brightness_groups(open_scene("aviris-vi-demo").values))


def filled(spectra):
    """Return spectra whose empty bands are interpolated, with reflectance up to 0.6."""
    number = np.arange(spectra.shape[1])
    good = spectra.mean(axis=0) > 0
    whole = np.stack([np.interp(number, number[good], line[good]) for line in spectra])
    return 0.6 * whole / whole.max()


def usgs_list(kind):
    """Return band centres or widths of AVIRIS in nm, as USGS has them."""
    (path,) = (FOLDER / "libraries").glob(f"s07_AV14_{kind}_*.txt")
    return np.array([1000 * float(v) for v in path.read_text().split("\n")[1:] if v.strip()])
