"""VCA, N-FINDR, SISAL and HFC on mixtures whose endmembers are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.scenes.materials import endmember_spectra
from hsirepro.unmixing import estimate_snr, hfc, hysime, most_endmembers, nfindr, sisal, vca

MATERIALS = ("vegetation", "soil", "concrete", "red_tile", "blue_paint")
NM = np.linspace(430.0, 860.0, 60)


def mixed(
    snr_db: float, *, purest: float, seed: int = 0, number: int = 3000, nm: np.ndarray = NM
) -> tuple[Tensor, Tensor]:
    """Return endmembers (L, p) and pixels (L, N) with abundances up to ``purest``, and noise."""
    rng = np.random.default_rng(seed)
    corners = endmember_spectra(MATERIALS, nm).T
    shares = rng.dirichlet(np.ones(len(MATERIALS)), 4 * number)
    shares = shares[shares.max(axis=1) <= purest][:number].T
    if purest == 1.0:
        shares[:, 100 : 100 + len(MATERIALS)] = np.eye(len(MATERIALS))
    clean = corners @ shares
    sigma = np.sqrt(np.mean(clean**2) / 10 ** (snr_db / 10))
    noisy = clean + sigma * rng.standard_normal(clean.shape)
    return torch.from_numpy(corners), torch.from_numpy(noisy)


def angles(found: Tensor, truth: Tensor) -> np.ndarray:
    """Spectral angles in degrees after the best one-to-one assignment."""
    a, b = (torch.nn.functional.normalize(x, dim=0) for x in (found, truth))
    degrees = torch.rad2deg(torch.arccos((a.T @ b).clamp(-1, 1))).numpy()
    return degrees[linear_sum_assignment(degrees)]


@pytest.mark.parametrize("snr_db", [35.0, 40.0])
@pytest.mark.parametrize("branch", [None, -np.inf, np.inf])
def test_pure_pixels_are_found(snr_db, branch):
    """A pure pixel per material: VCA finds their spectra to 1 degree on average."""
    truth, pixels = mixed(snr_db, purest=1.0)
    found, indices = vca(pixels, 5, restarts=10, snr_db=branch)
    assert len(set(indices.tolist())) == 5
    assert angles(found, truth).mean() < 1.0
    # They are the pixels themselves, less the noise outside the subspace.
    assert (found - pixels[:, indices]).square().mean() < (
        found - truth.mean()
    ).square().mean() / 50


def test_pure_pixels_are_found_at_30_db():
    """At 30 dB the principal components still tell the corners to 1 degree."""
    truth, pixels = mixed(30.0, purest=1.0)
    assert angles(vca(pixels, 5, restarts=10, snr_db=-np.inf)[0], truth).mean() < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_planted_endmembers_are_found_at_30_db(seed):
    """Over 400 to 2400 nm VCA chooses its projection, and HySime the number and the subspace.

    A single pixel at 30 dB is 1.8 degrees from its own material: N-FINDR returns pixels as they
    are, and their projection on the signal subspace is what is compared.
    """
    truth, pixels = mixed(30.0, purest=1.0, seed=seed, nm=np.linspace(400.0, 2400.0, 200))
    count, basis = hysime(pixels)
    assert count == len(MATERIALS)
    assert angles(vca(pixels, count, seed=seed, restarts=10)[0], truth).mean() < 1.0
    raw = pixels[:, nfindr(pixels, count)]
    assert angles(basis @ (basis.T @ raw), truth).mean() < 1.0
    assert 1.0 < angles(raw, truth).mean() < 2.5


def test_noise_free_corners_are_exact():
    """Without noise the corners are the pure pixels, whatever their brightness."""
    truth, pixels = mixed(np.inf, purest=1.0)
    light = torch.rand(pixels.shape[1], generator=torch.Generator().manual_seed(0)) + 0.5
    found, indices = vca(pixels * light, 5)
    assert sorted(indices.tolist()) == [100, 101, 102, 103, 104]
    assert angles(found, truth).max() < 1e-4


def test_restarts_keep_the_largest_simplex():
    """More random starts never give a smaller simplex, and one seed gives one answer."""
    _, pixels = mixed(25.0, purest=0.8)

    def volume(restarts: int) -> float:
        corners = vca(pixels, 5, seed=4, restarts=restarts, snr_db=-np.inf)[0]
        edges = corners[:, 1:] - corners[:, :1]
        return float(torch.linalg.slogdet(edges.T @ edges).logabsdet)

    volumes = [volume(n) for n in (1, 3, 20)]
    assert volumes == sorted(volumes)
    assert volumes[0] < volumes[-1]
    assert torch.equal(vca(pixels, 5, seed=4)[1], vca(pixels, 5, seed=4)[1])
    generator = torch.Generator().manual_seed(4)
    assert torch.equal(vca(pixels, 5, seed=4)[1], vca(pixels, 5, seed=generator)[1])


@pytest.mark.parametrize("branch", [-np.inf, np.inf])
def test_unit_of_the_pixels_does_not_choose_the_corners(branch):
    """Counts or reflectance: the same pixels are the corners."""
    _, pixels = mixed(30.0, purest=0.9)
    once, scaled = (vca(pixels * unit, 5, snr_db=branch)[1] for unit in (1.0, 10_000.0))
    assert torch.equal(once, scaled)


def test_degenerate_pixels_still_give_distinct_indices():
    """Black, equal and collinear pixels: no NaN, and no pixel twice."""
    black = torch.zeros(6, 10)
    equal = torch.full((6, 10), 0.3)
    grey = torch.linspace(0.1, 1.0, 10).expand(6, 10)
    partly = torch.cat([torch.zeros(6, 5), torch.rand(6, 10)], dim=1)
    for pixels in (black, equal, grey, partly):
        for branch in (None, -np.inf, np.inf):
            found, indices = vca(pixels, 4, restarts=3, snr_db=branch)
            assert torch.isfinite(found).all()
            assert len(set(indices.tolist())) == 4
    assert min(vca(partly, 4, snr_db=np.inf)[1]) >= 5  # a black pixel is no material


@pytest.mark.parametrize("snr_db", [15.0, 30.0, 45.0])
def test_signal_to_noise_ratio_is_estimated(snr_db):
    """White noise of a known level is found to 0.5 dB."""
    _, pixels = mixed(snr_db, purest=1.0)
    assert estimate_snr(pixels, 5) == pytest.approx(snr_db, abs=0.5)


def test_smallest_simplex_finds_what_no_pixel_shows():
    """No pixel is purer than 85 %: SISAL finds the materials to 1 degree, VCA does not."""
    truth, pixels = mixed(60.0, purest=0.85)
    found, objective = sisal(pixels, 5)
    assert angles(found, truth).max() < 1.0
    assert angles(vca(pixels, 5, restarts=10)[0], truth).max() > 3.0
    assert (objective.diff() <= 0).all()
    assert len(objective) == 81


def test_price_decides_what_stays_outside():
    """The lower the price, the more of the pixels the simplex leaves outside."""
    _, pixels = mixed(60.0, purest=0.85)

    def outside(price: float) -> float:
        corners, _ = sisal(pixels, 5, outside=price)
        ones = torch.ones(1, 5, dtype=torch.float64)
        system = torch.cat([corners, 1e3 * ones])
        right = torch.cat([pixels, 1e3 * torch.ones_like(pixels[:1])])
        return float((-(torch.linalg.pinv(system) @ right)).clamp_min(0).sum())

    assert outside(1.0) < outside(0.05) < outside(0.002)


def test_smallest_simplex_moves_with_the_pixels():
    """Scaled and shifted pixels have a scaled and shifted simplex."""
    _, pixels = mixed(50.0, purest=0.9)
    shift = torch.linspace(0.0, 0.5, len(pixels), dtype=torch.float64)[:, None]
    plain, moved = sisal(pixels, 5)[0], sisal(300.0 * (pixels + shift), 5)[0]
    torch.testing.assert_close(moved / 300.0 - shift, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sources", [1, 3, 6])
def test_number_of_sources_is_counted(sources):
    """HFC finds few sources in many pixels, never one too many, and none in noise."""
    rng = np.random.default_rng(1)
    spectra, noise = rng.random((50, sources)), 1e-3 * rng.standard_normal((50, 20_000))
    pixels = spectra @ rng.dirichlet(np.ones(sources), 20_000).T + noise
    many, few = (hfc(torch.from_numpy(pixels[:, :n])) for n in (20_000, 500))
    assert few <= many == sources
    assert hfc(torch.from_numpy(noise)) == 0
    assert hfc(torch.from_numpy(pixels.reshape(50, 100, 200))) == many


def test_count_of_sources_is_the_test_of_the_paper():
    """The count equals Neyman-Pearson's threshold on eigenvalues, written out with SciPy."""
    rng = np.random.default_rng(2)
    pixels = rng.random((30, 8)) @ rng.dirichlet(np.ones(8), 2000).T
    pixels += 0.01 * rng.standard_normal(pixels.shape)
    r = np.linalg.svd(pixels / np.sqrt(2000), compute_uv=False) ** 2
    k = np.sort(np.linalg.eigvalsh(np.cov(pixels, bias=True)))[::-1]
    for false_alarm in (1e-4, 1e-2, 0.05, 0.3):
        quantile = norm.isf(false_alarm, scale=np.sqrt(2 * (r**2 + k**2) / 2000))
        assert hfc(torch.from_numpy(pixels), false_alarm) == np.sum(r - k > quantile)


def test_room_for_endmembers():
    """A simplex has one corner more than the pixels have directions, and no more than bands."""
    generator = torch.Generator().manual_seed(0)
    line = torch.rand(1, 50, generator=generator)
    plane = torch.rand(8, 2, generator=generator) @ torch.rand(2, 50, generator=generator)
    assert most_endmembers(torch.full((8, 50), 0.3)) == 1
    assert most_endmembers(torch.zeros(8, 50)) == 1
    assert most_endmembers(torch.rand(8, 1, generator=generator) @ line) == 2
    assert most_endmembers(plane) == 3
    assert most_endmembers(torch.rand(8, 50, generator=generator)) == 8
    assert most_endmembers(torch.rand(8, 5, generator=generator)) == 5


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: vca(x, 7), "cannot find 7 endmembers in 40 pixels of 6 bands"),
        (lambda x: vca(x[:, :3], 4), "ask for 1 to 3"),
        (lambda x: vca(x, 2, restarts=0), "restarts=0"),
        (lambda x: nfindr(x, 8), "cannot find 8 endmembers in 40 pixels of 6 bands"),
        (lambda x: nfindr(x[:, :3], 4), "ask for 1 to 3"),
        (lambda x: sisal(x, 7), "leave room for 6"),
        (lambda x: sisal(x[:, :1].expand(6, 9), 2), "leave room for 1"),
        (lambda x: sisal(x, 3, outside=0.0), "outside=0.0"),
        (lambda x: hfc(x, 1.0), "not a probability"),
    ],
)
def test_what_cannot_be_found_is_named(call, text):
    """More endmembers than bands, pixels or directions are refused."""
    pixels = torch.rand(6, 40, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ParameterError, match=text):
        call(pixels)


def test_no_swap_enlarges_the_simplex():
    """No exchange of one corner for one pixel makes the volume larger."""
    from hsirepro.unmixing.nfindr import _reduce, _start

    improved = 0
    for seed in range(10):
        pixels = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 80)))
        found = nfindr(pixels, 4)
        x = torch.cat([torch.ones(1, 80, dtype=torch.float64), _reduce(pixels, 3)])
        best = _volume(x, found)
        improved += best > 1.001 * _volume(x, _start(x[1:], 4))
        for corner, pixel in product(range(4), range(80)):
            other = found.clone()
            other[corner] = pixel
            assert _volume(x, other) <= best * (1 + 1e-6)
    assert improved


def _volume(x, chosen) -> float:
    return float(torch.linalg.det(x[:, chosen]).abs())


@pytest.mark.parametrize(("snr_db", "branch"), [(18.0, -np.inf), (26.0, np.inf)])
def test_the_projection_follows_the_noise(snr_db, branch):
    """Above the threshold the projective projection, below it the principal one."""
    from hsirepro.scenes.materials import endmember_spectra
    from hsirepro.unmixing import vca

    rng = np.random.default_rng(0)
    corners = endmember_spectra(
        ("vegetation", "soil", "concrete", "red_tile", "blue_paint"), np.linspace(430.0, 860.0, 60)
    ).T
    clean = corners @ rng.dirichlet(np.ones(5), 3000).T
    sigma = np.sqrt(np.mean(clean**2) / 10 ** (snr_db / 10))
    pixels = torch.from_numpy(clean + sigma * rng.standard_normal(clean.shape))
    chosen, asked, other = (vca(pixels, 5, snr_db=s)[1].tolist() for s in (None, branch, -branch))
    assert chosen == asked != other


def test_sisal_starts_from_vcas_simplex_twice_as_large():
    """Before its first iteration it holds the corners of VCA, blown up around their mean."""
    from hsirepro.scenes.materials import endmember_spectra
    from hsirepro.unmixing import sisal, vca

    rng = np.random.default_rng(0)
    corners = endmember_spectra(
        ("vegetation", "soil", "concrete", "red_tile", "blue_paint"), np.linspace(430.0, 860.0, 60)
    ).T
    pixels = torch.from_numpy(corners @ rng.dirichlet(np.ones(5), 3000).T)
    pure = vca(pixels, 5, snr_db=-np.inf)[0]
    start, _ = sisal(pixels, 5, iterations=0)
    torch.testing.assert_close(start, 2 * pure - pure.mean(dim=1, keepdim=True))
