"""Abundances: SUnSAL and FCLS against SciPy's solvers and the conditions of optimality."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.scenes.simulate import simulate
from hsirepro.unmixing import fcls, ncls, project_simplex, sunsal, vca
from hsirepro.unmixing.quadratic import active_set, face_maps, optimal, pivot

PLANTED = simulate(size=48, seed=0)


def library(kind: str) -> Tensor:
    """Return endmembers (60, p): the planted ones, some of them twins, or random ones."""
    if kind == "planted":  # angles down to 2 degrees, condition number of E 2400
        return torch.from_numpy(PLANTED.endmembers.T.copy())
    if kind == "pixels":
        return vca(scene(), 30, restarts=2)[0]
    return torch.rand(60, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def scene(number: int | None = None) -> Tensor:
    """Return pixels (60, N) of the planted scene, spread over it."""
    pixels = torch.from_numpy(PLANTED.cube.values.reshape(-1, 60).T.astype(np.float64))
    return pixels if number is None else pixels[:, :: pixels.shape[1] // number][:, :number]


def by_scipy(pixels: Tensor, endmembers: Tensor, sum_to_one: bool) -> Tensor:
    """Solve pixel by pixel with Lawson and Hanson; the sum to one is a heavy row."""
    E, Y, weight = endmembers.numpy(), pixels.numpy(), 1e4 if sum_to_one else 0.0
    q, r = np.linalg.qr(np.vstack([E, np.full((1, E.shape[1]), weight)]))
    right = q.T @ np.vstack([Y, np.full((1, Y.shape[1]), weight)])
    return torch.from_numpy(np.stack([nnls(r, column)[0] for column in right.T], axis=1))


@pytest.mark.parametrize("kind", ["planted", "pixels", "random"])
@pytest.mark.parametrize("sum_to_one", [True, False])
def test_abundances_agree_with_scipy(kind, sum_to_one):
    """Least squares under the same constraints has one solution, found to 1e-6."""
    endmembers, pixels = library(kind), scene(150)
    found = sunsal(pixels, endmembers, sum_to_one=sum_to_one)
    expected = by_scipy(pixels, endmembers, sum_to_one)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("sum_to_one", "sparsity"), [(True, 0.0), (False, 0.0), (False, 0.01), (False, 0.3)]
)
def test_conditions_of_optimality_hold(sum_to_one, sparsity):
    """No entry can be changed, within the constraints, to lower the objective."""
    endmembers, pixels = library("planted"), scene()
    a = sunsal(pixels, endmembers, sum_to_one=sum_to_one, sparsity=sparsity)
    assert (a >= 0).all()
    gradient = endmembers.T @ (endmembers @ a - pixels) + sparsity
    if sum_to_one:
        assert (a.sum(dim=0) - 1).abs().max() < 1e-12
        # Up to one multiplier per pixel, which the entries inside agree on.
        gradient = gradient - gradient.where(a > 0, torch.inf).amin(dim=0)
    size = (endmembers.T @ pixels).abs().max()
    assert gradient.where(a > 0, torch.tensor(0.0)).abs().max() < 1e-10 * size
    assert gradient.min() > -1e-10 * size


def test_sparsity_empties_the_abundances():
    """The price of abundance lowers their sum, and a high one leaves nothing."""
    endmembers, pixels = library("random"), scene(100)
    sums = [
        float(sunsal(pixels, endmembers, sum_to_one=False, sparsity=price).sum())
        for price in (0.0, 0.1, 1.0, 1e3)
    ]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] > sums[2] > sums[3] == 0.0


def test_planted_abundances_come_back():
    """Without noise the abundances are those that were planted."""
    endmembers = library("planted")
    planted = torch.from_numpy(PLANTED.abundances.reshape(-1, 10).T.copy())
    torch.testing.assert_close(fcls(endmembers @ planted, endmembers), planted, rtol=0, atol=1e-6)


def test_splitting_alone_comes_near_where_endmembers_differ():
    """ADMM alone agrees to 1e-4 with the active set, on endmembers that are well apart."""
    generator = torch.Generator().manual_seed(3)
    endmembers = torch.rand(60, 12, generator=generator, dtype=torch.float64)
    shares = project_simplex(torch.rand(12, 500, generator=generator, dtype=torch.float64))
    pixels = endmembers @ shares + 0.01 * torch.randn(60, 500, generator=generator)
    for sum_to_one in (True, False):
        near, exact = (
            sunsal(pixels, endmembers, sum_to_one=sum_to_one, exact=exact, tolerance=1e-7)
            for exact in (False, True)
        )
        torch.testing.assert_close(near, exact, rtol=0, atol=1e-4)
        if sum_to_one:
            assert (near.sum(dim=0) - 1).abs().max() < 1e-12


def test_pixels_do_not_know_each_other():
    """A pixel has the same abundances alone, in another order and beside others."""
    endmembers, pixels = library("planted"), scene(1500)
    together = fcls(pixels, endmembers)
    order = torch.randperm(1500, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fcls(pixels[:, order], endmembers), together[:, order])
    torch.testing.assert_close(fcls(pixels[:, 700:701], endmembers), together[:, 700:701])


def test_unit_of_the_pixels_does_not_matter():
    """Counts or reflectance: abundances have no unit."""
    endmembers, pixels = library("planted"), scene(300)
    torch.testing.assert_close(
        fcls(8000.0 * pixels, 8000.0 * endmembers), fcls(pixels, endmembers), rtol=0, atol=1e-7
    )


def test_degenerate_endmembers_give_finite_shares():
    """Black pixels, black endmembers, twins, and one endmember: shares of one, no NaN."""
    endmembers, pixels = library("random"), scene(20)
    twins = torch.cat([endmembers, endmembers], dim=1)
    cases = [
        (torch.zeros_like(pixels), endmembers),
        (pixels, torch.zeros_like(endmembers)),
        (torch.zeros_like(pixels), torch.zeros_like(endmembers)),
        (pixels, twins),
        (pixels, endmembers[:, :1]),
    ]
    for y, e in cases:
        shares = fcls(y, e)
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(dim=0), torch.ones(20, dtype=torch.float64))
        assert torch.isfinite(sunsal(y, e, sum_to_one=False)).all()
    halves = fcls(pixels, twins)
    torch.testing.assert_close(halves[:12] + halves[12:], fcls(pixels, endmembers))


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("spread", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projection_is_the_nearest_share(dim, spread, dtype):
    """Projected by sorting, as in the textbook, shares are the same, and sum to one to 1e-6."""
    generator = torch.Generator().manual_seed(0)
    x = spread * torch.randn(7, 30, 8, generator=generator, dtype=dtype)
    found = project_simplex(x, dim=dim)
    assert found.dtype == dtype
    assert (found >= 0).all()
    assert (found.sum(dim=dim) - 1).abs().max() < 1e-6
    rows = np.moveaxis(x.double().numpy(), dim, -1)
    falling = -np.sort(-rows, axis=-1)
    levels = (np.cumsum(falling, axis=-1) - 1) / np.arange(1, rows.shape[-1] + 1)
    kept = np.sum(falling > levels, axis=-1, keepdims=True)
    expected = np.maximum(rows - np.take_along_axis(levels, kept - 1, axis=-1), 0)
    np.testing.assert_allclose(np.moveaxis(found.numpy(), dim, -1), expected, atol=2e-6)


def test_projection_leaves_shares_alone():
    """A point of the simplex is its own projection; equal entries share equally."""
    shares = torch.tensor([[0.2, 1.0, 0.0], [0.8, 0.0, 0.5], [0.0, 0.0, 0.5]])
    torch.testing.assert_close(project_simplex(shares), shares)
    torch.testing.assert_close(project_simplex(torch.full((4, 2), -3.0)), torch.full((4, 2), 0.25))
    assert project_simplex(torch.tensor([[-7.0, 40.0]])).tolist() == [[1.0, 1.0]]


def test_what_has_no_meaning_is_refused():
    """Spectra of other bands, a negative price, and a price on shares whose sum is fixed."""
    endmembers, pixels = library("random"), scene(5)
    with pytest.raises(ShapeError, match="60 bands cannot explain pixels of 59"):
        fcls(pixels[:59], endmembers)
    with pytest.raises(ParameterError, match=r"sparsity=0\.1 with sum_to_one=True"):
        sunsal(pixels, endmembers, sparsity=0.1)
    with pytest.raises(ParameterError, match="sparsity=-1"):
        sunsal(pixels, endmembers, sum_to_one=False, sparsity=-1)


def by_enumeration(pixel: np.ndarray, E: np.ndarray, sum_to_one: bool) -> np.ndarray:
    """Solve on every face by the equations of Lagrange, and keep the best that is feasible."""
    best, lowest = np.zeros(E.shape[1]), np.inf if sum_to_one else pixel @ pixel
    for size in range(1, E.shape[1] + 1):
        for face in map(list, combinations(range(E.shape[1]), size)):
            F = E[:, face]
            if sum_to_one:
                system = np.block([[F.T @ F, np.ones((size, 1))], [np.ones((1, size)), 0.0]])
                shares = np.linalg.solve(system, np.append(F.T @ pixel, 1.0))[:-1]
            else:
                shares = np.linalg.lstsq(F, pixel, rcond=None)[0]
            error = np.sum((F @ shares - pixel) ** 2)
            if shares.min() >= -1e-12 and error < lowest:
                best, lowest = np.zeros(E.shape[1]), error
                best[face] = shares
    return best


@pytest.mark.parametrize("number", [10, 40])  # fewer and more than the faces of 4 endmembers
@pytest.mark.parametrize("sum_to_one", [True, False])
def test_abundances_agree_with_all_faces_tried(sum_to_one, number):
    """The best feasible point of all faces of the simplex, or of the orthant, is the solution."""
    endmembers, pixels = library("random")[:, :4], scene(number)
    found = sunsal(pixels, endmembers, sum_to_one=sum_to_one)
    for k in range(number):
        expected = by_enumeration(pixels[:, k].numpy(), endmembers.numpy(), sum_to_one)
        np.testing.assert_allclose(found[:, k], expected, atol=1e-9)


def test_abundances_agree_with_a_quadratic_programme():
    """Sequential quadratic programming, from the centre of the simplex, ends at the same shares."""
    endmembers, pixels = library("planted")[:, :6], scene(70)
    E, found = endmembers.numpy(), fcls(pixels, endmembers)
    for k in range(0, 70, 7):
        y = pixels[:, k].numpy()
        solved = minimize(
            lambda a, y=y: np.sum((E @ a - y) ** 2),
            np.full(6, 1 / 6),
            jac=lambda a, y=y: 2 * E.T @ (E @ a - y),
            bounds=[(0, None)] * 6,
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        np.testing.assert_allclose(found[:, k], solved.x, atol=1e-4)
        assert np.sum((E @ found[:, k].numpy() - y) ** 2) <= solved.fun + 1e-12


@pytest.mark.parametrize("kind", ["planted", "random"])
def test_ncls_is_non_negative_least_squares(kind):
    """Without a sum the solution is Lawson and Hanson's, and light scales it."""
    endmembers, pixels = library(kind)[:, :7], scene(200)
    found = ncls(pixels, endmembers)
    expected = by_scipy(pixels, endmembers, sum_to_one=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(ncls(0.3 * pixels, endmembers), 0.3 * found)
    assert (found.sum(dim=0) - 1).abs().max() > 0.1


@pytest.mark.parametrize("sum_to_one", [True, False])
def test_both_ways_lead_to_the_same_face(sum_to_one):
    """Pivoting through a table and the active set agree, and pivoting hardly ever gives up."""
    endmembers, pixels = library("planted"), scene()
    gram, target = endmembers.T @ endmembers, endmembers.T @ pixels
    nothing = torch.zeros_like(target)
    maps = face_maps(gram, sum_to_one)
    walked = pivot(maps, target, nothing, sum_to_one)
    descended = active_set(gram, target, nothing, sum_to_one)
    settled = optimal(gram, target, walked, sum_to_one)
    # Exchanging all negative entries in every round would go in circles in 3 % of the pixels.
    assert settled.double().mean() > 0.995
    assert optimal(gram, target, descended, sum_to_one).all()
    torch.testing.assert_close(walked[:, settled], descended[:, settled], rtol=0, atol=1e-8)


@pytest.mark.parametrize("sum_to_one", [True, False])
def test_what_is_not_optimal_is_told(sum_to_one):
    """A little less of what is there, or more of what is not, is no longer the solution."""
    endmembers, pixels = library("random")[:, :5], scene(100)
    gram, target = endmembers.T @ endmembers, endmembers.T @ pixels
    a = sunsal(pixels, endmembers, sum_to_one=sum_to_one)
    assert optimal(gram, target, a, sum_to_one).all()
    for change in (1e-6, -1e-6):
        moved = (a + change * torch.tensor([1.0, -1.0, 0.0, 0.0, 0.0])[:, None]).clamp_min(0.0)
        if sum_to_one:
            moved = moved / moved.sum(dim=0)
        assert not optimal(gram, target, moved, sum_to_one)[(moved != a).any(dim=0)].any()


def test_faces_of_degenerate_endmembers_are_left_to_the_active_set():
    """With more pixels than faces, too: black pixels and endmembers, twins, one endmember."""
    endmembers, pixels = library("random")[:, :3], scene(300)
    twins = torch.cat([endmembers, endmembers], dim=1)
    for y, e in [
        (torch.zeros_like(pixels), endmembers),
        (pixels, torch.zeros_like(endmembers)),
        (pixels, twins),
        (pixels, endmembers[:, :1]),
    ]:
        shares = fcls(y, e)
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(dim=0), torch.ones(300, dtype=torch.float64))
        assert torch.isfinite(ncls(y, e)).all()
    halves = fcls(pixels, twins)
    torch.testing.assert_close(halves[:3] + halves[3:], fcls(pixels, endmembers))


@pytest.mark.parametrize("number", [5, 64])
def test_a_missing_pixel_stays_missing(number):
    """NaN has no abundances, and does not touch its neighbours."""
    endmembers, pixels = library("random")[:, :4], scene(number)
    holed = pixels.clone()
    holed[3, 2] = torch.nan
    for solve in (fcls, ncls):
        found = solve(holed, endmembers)
        assert found[:, 2].isnan().all()
        there = torch.arange(number) != 2
        torch.testing.assert_close(found[:, there], solve(pixels, endmembers)[:, there])


def test_no_pixels_have_no_abundances():
    """An empty selection is answered with an empty one."""
    endmembers, pixels = library("random"), scene(20)[:, :0]
    assert fcls(pixels, endmembers).shape == (12, 0)
    assert sunsal(pixels, endmembers, exact=False).shape == (12, 0)
