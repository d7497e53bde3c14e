"""Laws of the planted truth: everything that was planted can be found again in the cube."""

from __future__ import annotations

import math
import time
from itertools import combinations

import numpy as np
import pytest

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.scenes.cube import check_finite, has_wavelengths
from hsirepro.scenes.materials import DEFAULT_MATERIALS, MATERIALS, endmember_spectra
from hsirepro.scenes.simulate import MIXINGS, simulate, solar_atmosphere

SIZE = (37, 31)  # odd and unequal: swapped axes do not fit
FULL_RANGE = np.linspace(350.0, 2500.0, 216)


def ndvi(red, nir):
    return (nir - red) / (nir + red)


def realised_snr(scene):
    clean = scene.clean()
    noise = scene.cube.values - clean
    return 10 * math.log10(np.mean(clean**2) / np.mean(noise**2))


@pytest.mark.parametrize("name", MATERIALS)
def test_reflectance_is_physical_and_smooth(name):
    """A surface reflects between nothing and all of the light, without jumps from nm to nm."""
    nm = np.arange(350.0, 2501.0)
    spectrum = endmember_spectra([name], nm)[0]
    assert spectrum.min() > 0.0
    assert spectrum.max() < 1.0
    assert np.abs(np.diff(spectrum)).max() < 0.012


@pytest.mark.parametrize("name", ["vegetation", "tree"])
def test_green_plants_have_a_red_edge_and_a_green_peak(name):
    """Chlorophyll absorbs blue and red; leaves scatter green a little and near infrared a lot."""
    blue, green, red, nir = endmember_spectra([name], [450, 550, 670, 800])[0]
    assert nir > 4 * red
    assert green > 1.5 * red
    assert green > 1.5 * blue
    nm = np.arange(660.0, 780.0)
    edge = nm[np.gradient(endmember_spectra([name], nm)[0]).argmax()]
    assert 705 < edge < 725


@pytest.mark.parametrize(
    ("name", "inside", "shoulders"),
    [
        ("vegetation", 970, (900, 1060)),
        ("vegetation", 1200, (1080, 1270)),
        ("vegetation", 1450, (1280, 1650)),
        ("vegetation", 1940, (1650, 2200)),
        ("soil", 2205, (2140, 2260)),
        ("concrete", 2340, (2200, 2480)),
        ("red_tile", 868, (770, 1050)),
        ("blue_paint", 615, (465, 850)),
    ],
)
def test_absorption_bands_lie_where_physics_puts_them(name, inside, shoulders):
    """An absorption band is darker than the line between its shoulders."""
    left, centre, right = endmember_spectra([name], [shoulders[0], inside, shoulders[1]])[0]
    weight = (inside - shoulders[0]) / (shoulders[1] - shoulders[0])
    assert centre < 0.97 * (left + weight * (right - left))


@pytest.mark.parametrize(
    ("names", "longest"), [(DEFAULT_MATERIALS, 860.0), (tuple(MATERIALS), 2500.0)]
)
def test_materials_can_be_told_apart(names, longest):
    """No two materials have the same spectral shape (angle > 2.5 degrees); snow needs the SWIR."""
    spectra = endmember_spectra(names, np.linspace(430, longest, 60))
    unit = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    for i, j in combinations(range(len(names)), 2):
        angle = math.degrees(math.acos(min(1.0, float(unit[i] @ unit[j]))))
        assert angle > 2.5, (names[i], names[j], angle)


def test_abundances_live_on_the_simplex():
    """Abundances are shares: none is negative and those of a pixel sum to one."""
    scene = simulate(size=SIZE, seed=3)
    assert scene.abundances.shape == (*SIZE, len(scene.materials))
    assert scene.abundances.min() >= 0.0
    np.testing.assert_allclose(scene.abundances.sum(axis=2), 1.0, atol=1e-12)


@pytest.mark.parametrize("atmosphere", [False, True])
@pytest.mark.parametrize("mixing", MIXINGS)
def test_noise_free_cube_is_the_stated_equation(mixing, atmosphere):
    """Without noise the cube is the mixing equation, written out here term by term."""
    scene = simulate(size=SIZE, mixing=mixing, atmosphere=atmosphere, snr_db=math.inf, seed=5)
    a, e = scene.abundances, scene.endmembers
    mixed = np.einsum("yxm,mc->yxc", a, e)
    if mixing == "bilinear":
        for i, j in combinations(range(len(e)), 2):
            mixed += (a[:, :, i] * a[:, :, j])[:, :, None] * (e[i] * e[j])
    factor = 1 + np.einsum("yxk,kc->yxc", scene.variability, scene.variability_basis)
    expected = scene.illumination[:, :, None] * scene.atmosphere * factor * mixed
    np.testing.assert_allclose(scene.cube.values, expected, rtol=1e-5, atol=1e-7)


def test_bilinear_mixing_adds_light():
    """Light scattered twice comes on top of light scattered once, in every pixel and band."""
    linear, bilinear = (simulate(size=16, mixing=m, snr_db=math.inf).cube for m in MIXINGS)
    difference = (bilinear - linear).values
    assert difference.min() >= 0.0
    assert difference.max() > 0.01


def test_reflections_are_planted_by_the_stated_equation():
    """Pixel by pixel e^k = e^(k-1) * E h^k, h^k = 0.08 (1 - a)^(k-1); the ground stays the same."""
    once, thrice = (simulate(size=16, order=k, snr_db=math.inf, seed=3) for k in (1, 3))
    np.testing.assert_array_equal(once.abundances, thrice.abundances)
    for row, column in ((0, 0), (7, 11)):
        a, E = once.abundances[row, column], once.endmembers
        first = once.clean()[row, column]
        second = first * sum(0.08 * (1 - a[m]) * E[m] for m in range(len(a)))
        third = second * sum(0.08 * (1 - a[m]) ** 2 * E[m] for m in range(len(a)))
        expected = first + second + third
        np.testing.assert_allclose(thrice.cube.values[row, column], expected, rtol=1e-5)


@pytest.mark.parametrize("snr_db", [10.0, 25.0, 40.0])
def test_realised_snr_is_the_asked_one(snr_db):
    """Mean signal power over noise power is the SNR that was asked for."""
    scene = simulate(size=SIZE, snr_db=snr_db, atmosphere=True, seed=2)
    assert realised_snr(scene) == pytest.approx(snr_db, abs=0.3)


def test_same_seed_same_bytes_and_other_seed_other_scene():
    """A seed names one scene."""
    first, again, other = (simulate(size=SIZE, seed=s) for s in (7, 7, 8))
    assert first.cube.values.tobytes() == again.cube.values.tobytes()
    assert first.abundances.tobytes() == again.abundances.tobytes()
    assert first.cube.attrs["sha256"] == again.cube.attrs["sha256"]
    assert first.cube.attrs["sha256"] != other.cube.attrs["sha256"]
    assert np.abs(first.abundances - other.abundances).mean() > 0.02


def test_same_seed_lays_out_the_same_ground_for_every_sensor():
    """The ground does not depend on the sensor that looks at it."""
    first = simulate(size=24, seed=1)
    second = simulate(size=24, seed=1, wavelengths=FULL_RANGE, snr_db=20.0, mixing="bilinear")
    np.testing.assert_array_equal(first.abundances, second.abundances)
    np.testing.assert_array_equal(first.illumination, second.illumination)
    np.testing.assert_array_equal(first.variability, second.variability)


@pytest.mark.parametrize("seed", range(3))
def test_scene_shows_every_material_nearly_pure_and_mixed_edges(seed):
    """A scene has near-pure pixels of its main materials, and mixed pixels along its edges."""
    scene = simulate(size=96, seed=seed)
    purest = dict(zip(scene.materials, scene.abundances.max(axis=(0, 1)), strict=True))
    assert min(purest.values()) > 0.9, purest
    dominant = scene.abundances.max(axis=2)
    assert 0.05 < np.mean(dominant < 0.7) < 0.6


@pytest.mark.parametrize("seed", range(3))
def test_scene_has_detail_at_the_pixel(seed):
    """A point spread function can only be found if blurring the scene changes it."""
    image = simulate(size=64, seed=seed, snr_db=math.inf).cube.values
    blocks = image.reshape(16, 4, 16, 4, -1).mean(axis=(1, 3))
    lost = image - np.repeat(np.repeat(blocks, 4, axis=0), 4, axis=1)
    assert lost.std() > 0.3 * image.std()


def test_scene_is_not_of_trivially_low_rank():
    """Spectral variability gives a scene more dimensions than it has materials."""
    scene = simulate(size=64, snr_db=math.inf)
    pixels = scene.cube.values.reshape(-1, 60).astype(np.float64)
    strength = np.linalg.svd(pixels, compute_uv=False)
    assert np.sum(strength > 1e-4 * strength[0]) > len(scene.materials) + 2
    plain = simulate(size=64, snr_db=math.inf, variability=0.0)
    pixels = plain.cube.values.reshape(-1, 60).astype(np.float64)
    strength = np.linalg.svd(pixels, compute_uv=False)
    assert np.sum(strength > 1e-5 * strength[0]) <= len(plain.materials)


def test_vegetation_index_finds_the_vegetation():
    """The planted plants are found by the index that finds real ones."""
    scene = simulate(size=64, seed=4)
    cube = scene.cube.sel(wavelength=[670, 800], method="nearest")
    index = ndvi(*np.moveaxis(cube.values, 2, 0))
    plants = [m for m, name in enumerate(scene.materials) if name in ("vegetation", "tree")]
    cover = scene.abundances[:, :, plants].sum(axis=2)
    assert np.corrcoef(index.ravel(), cover.ravel())[0, 1] > 0.9
    assert set(np.unique(scene.labels)) <= set(range(len(scene.materials)))


@pytest.mark.parametrize(
    ("inside", "beside"),
    [(761, 745), (940, 880), (1133, 1060), (1385, 1290), (1880, 1720), (2008, 2110)],
)
def test_air_absorbs_at_its_known_wavelengths(inside, beside):
    """Oxygen, water vapour and carbon dioxide take their share of the sunlight."""
    at, near = solar_atmosphere([inside, beside])
    assert at < 0.75 * near


def test_sunlight_follows_planck():
    """The sun is brightest near 500 nm and far weaker in the short-wave infrared."""
    factor = solar_atmosphere(FULL_RANGE)
    assert 0.0 <= factor.min() < factor.max() <= 1.0
    assert 480 < FULL_RANGE[factor.argmax()] < 600
    # Ratio of Planck's law at 5778 K between two windows, from its definition.
    radiance = [lam**-5 / math.expm1(0.01438777 / (lam * 5778)) for lam in (1.65e-6, 0.60e-6)]
    long, short = solar_atmosphere([1650, 600])
    rayleigh = math.exp(-0.1 * (550 / 1650) ** 4) / math.exp(-0.1 * (550 / 600) ** 4)
    assert long / short == pytest.approx(radiance[0] / radiance[1] * rayleigh, rel=1e-3)


def test_atmosphere_turns_reflectance_into_relative_radiance():
    """The units say whether the sun and the air are in the numbers."""
    bare, lit = (simulate(size=16, atmosphere=on) for on in (False, True))
    assert bare.cube.attrs["units"] == "reflectance"
    assert lit.cube.attrs["units"] == "relative radiance"
    np.testing.assert_array_equal(bare.atmosphere, 1.0)
    np.testing.assert_array_equal(lit.atmosphere, solar_atmosphere(lit.cube.wavelength))
    np.testing.assert_array_equal(bare.endmembers, lit.endmembers)


def test_cube_keeps_the_contract():
    """A planted cube is a cube like any other: labelled, float32, in nm, finite."""
    cube = simulate(size=SIZE, seed=9).cube
    assert cube.dims == ("y", "x", "wavelength")
    assert cube.shape == (*SIZE, 60)
    assert cube.dtype == np.float32
    assert has_wavelengths(cube)
    assert cube.attrs["source"] == "planted"
    assert cube.attrs["seed"] == 9
    assert len(cube.attrs["sha256"]) == 64
    check_finite(cube)
    assert cube.values.max() < 1.5


@pytest.mark.parametrize("materials", [["water"], ["soil", "vegetation"], ["red_tile", "asphalt"]])
def test_any_choice_of_materials_makes_a_scene(materials):
    """A layer without a material is left out; the rest still makes a scene."""
    scene = simulate(size=(8, 12), materials=materials)
    assert scene.materials == tuple(materials)
    assert scene.endmembers.shape == (len(materials), 60)
    np.testing.assert_allclose(scene.abundances.sum(axis=2), 1.0)


def test_small_scene_is_ready_in_a_blink():
    """The embedded default of every chapter must not be waited for."""
    simulate(size=16)  # imports
    start = time.process_time()
    simulate(size=64)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("wavelengths", "says"),
    [
        ([400.0, 300.0], "1 of 2 wavelengths lie outside 350-2500 nm, the first is 300"),
        ([2600.0], "keep the bands between 350 and 2500 nm"),
        ([0.45, 0.86], "multiply by 1000: these look like micrometres"),
        ([math.nan], "the first is nan"),
        ([], "No wavelengths were given"),
    ],
)
def test_wavelengths_out_of_range_are_refused(wavelengths, says):
    """The formulas hold from 350 to 2500 nm and nowhere else."""
    with pytest.raises(WavelengthError) as caught:
        simulate(size=8, wavelengths=wavelengths)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"materials": ["vegetation", "asphallt"]}, "did you mean 'asphalt'?"),
        ({"materials": ["soil", "soil"]}, "materials must be distinct names, at least one"),
        ({"materials": []}, "known  vegetation, tree"),
        (
            {"mixing": "linaer"},
            "'linaer' is not a mixing model.\n  next step  did you mean 'linear'",
        ),
        ({"snr_db": math.nan}, "snr_db is nan"),
        ({"variability": 3.0}, "give 0.03 for 3 %"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_parameters_are_refused(bad, says):
    """A simulator asked for the impossible names what was wrong and what would be right."""
    with pytest.raises(ParameterError) as caught:
        simulate(size=8, **bad)
    assert says in str(caught.value)


def test_tiny_scene_is_refused():
    """Fields, roads and roofs need some pixels to lie in."""
    with pytest.raises(ShapeError) as caught:
        simulate(size=(64, 7))
    assert "64 x 7 pixels has no room" in str(caught.value)
