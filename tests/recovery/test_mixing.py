"""The neural mixing model: against a plain formulation, pixel by pixel, and its limits."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.recovery.inss_net import INSS
from hsirepro.recovery.losses import hsv, hsv_distance, one_minus_cosine
from hsirepro.recovery.mixing import Mixing, from_tiles, place_codes, to_tiles

BANDS, MATERIALS, D = 6, 5, 4


def parts(mixing, rows=8, columns=12, batch=2):
    """Return random abundances, weights, a library and an atmosphere."""
    make = torch.Generator().manual_seed(0)
    a = torch.randn(batch, MATERIALS, rows, columns, generator=make).softmax(dim=1)
    size = (batch, mixing.weights_per_tile, rows // mixing.tile, columns // mixing.tile)
    w = torch.randn(size, generator=make)
    return a, w, torch.rand(BANDS, MATERIALS, generator=make), torch.rand(BANDS, generator=make)


def by_pixel(mixing, a, w, library, t):
    """Eq. 4 and 5 for one pixel after the other, each with weights of its own."""
    image = torch.zeros(a.shape[0], BANDS, *a.shape[2:])
    codes = place_codes(mixing.tile, mixing.origin)
    for b in range(a.shape[0]):
        for y in range(a.shape[2]):
            for x in range(a.shape[3]):
                weights = w[b, :, y // mixing.tile, x // mixing.tile]
                place = codes[(y % mixing.tile) * mixing.tile + x % mixing.tile]
                given = [place, a[b, :, y, x]] if mixing.told_abundances else [place]
                e = t * (library @ a[b, :, y, x])
                total = e.clone()
                for _ in range(mixing.order - 1):
                    value, slope = torch.cat(given), 1.0
                    for number, (inputs, outputs) in enumerate(mixing.layers):
                        if number:
                            value = torch.where(value > 0, value, 0.01 * value)
                        bias, weights = weights[:outputs], weights[outputs:]
                        matrix, weights = weights[: inputs * outputs], weights[inputs * outputs :]
                        value = value @ matrix.view(inputs, outputs) * slope + bias
                    e = e * (library @ (0.1 * value.tanh()))
                    total += e
                image[b, :, y, x] = total
    return image


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"order": 2},
        {"order": 4, "hidden": (3, 4)},
        {"told_abundances": False, "origin": "corner"},
        {"hidden": ()},
    ],
    ids=str,
)
def test_tiles_give_what_pixels_give(change):
    """One product of matrices per tile and layer is eq. 5 of every pixel."""
    mixing = Mixing(MATERIALS, **{"order": 3, "hidden": (7,), "tile": D, **change})
    given = parts(mixing)
    image, linear = mixing(*given)
    assert torch.allclose(image, by_pixel(mixing, *given), atol=1e-5)
    a, _, library, t = given
    first = torch.einsum("l,lm,bmhw->blhw", t, library, a)
    assert torch.allclose(linear, first, atol=1e-6)
    assert not torch.allclose(image, linear, atol=1e-3)


def test_first_order_is_the_linear_model():
    """Without reflections there are no weights, and nothing but eq. 2."""
    mixing = Mixing(MATERIALS, order=1, tile=D)
    a, _, library, t = parts(mixing)
    image, linear = mixing(a, None, library, t)
    assert mixing.weights_per_tile == 0
    assert torch.equal(image, linear)


def test_no_weights_no_reflections():
    """As tanh 0 = 0, a transform that says nothing leaves the linear mixture."""
    mixing = Mixing(MATERIALS, hidden=(7,), tile=D)
    a, w, library, t = parts(mixing)
    image, linear = mixing(a, torch.zeros_like(w), library, t)
    assert torch.equal(image, linear)


def test_numbers_of_weights_are_those_of_the_facts():
    """The released order 3 has two networks of 23,513 weights; the text's have 22,969."""
    assert Mixing(345, hidden=(64,), told_abundances=False).weights_per_tile == 2 * 23_513
    assert Mixing(345).weights_per_tile == 2 * 22_969


def test_matrices_are_the_products_of_the_released_code():
    """Band by band, X2 l and X3 X2 l over rows and columns; only of squares."""
    mixing = Mixing(MATERIALS, hidden=(7,), tile=D, composition="matrix", told_abundances=False)
    a, w, library, t = parts(mixing, rows=8, columns=8, batch=1)
    image, linear = mixing(a, w, library, t)
    x2, x3 = (
        from_tiles(h @ library.T, a.shape[2:], D) for h in mixing.reflections(to_tiles(a, D), w)
    )
    expected = linear.clone()
    for band in range(BANDS):
        second = x2[0, band] @ linear[0, band]
        expected[0, band] += second + x3[0, band] @ second
    assert torch.allclose(image, expected, atol=1e-4)
    with pytest.raises(ShapeError, match="no square"):
        mixing(*parts(mixing, rows=8, columns=12))


def test_places_are_told_apart():
    """Every place of a tile has its own code; half of the shortest period's is always 0."""
    for origin in ("centre", "corner"):
        code = place_codes(16, origin)
        assert len({tuple(row.round(decimals=4).tolist()) for row in code}) == 256
        assert (code.abs().amax(dim=0) < 1e-5).sum() == 2
    assert math.isclose(float(code.square().sum(dim=1).mean()), 8.0, rel_tol=1e-5)


def test_tiles_come_back():
    """To tiles and back changes nothing, at sides of any whole number of tiles."""
    image = torch.rand(2, 3, 8, 20)
    assert torch.equal(from_tiles(to_tiles(image, D), image.shape[2:], D), image)


@pytest.mark.parametrize(
    ("change", "text"),
    [({"order": 0}, "order=0"), ({"tile": 12}, "12 x 12"), ({"tile": 1}, "1 x 1")],
)
def test_impossible_models_are_refused(change, text):
    """No reflections at all, and tiles whose places have no code."""
    with pytest.raises(ParameterError, match=text):
        Mixing(MATERIALS, **change)


def test_whole_tiles_only():
    """An image of 8 x 10 pixels has no whole number of tiles of 4."""
    mixing = Mixing(MATERIALS, order=1, tile=D)
    with pytest.raises(ShapeError, match="8 x 10 pixels"):
        mixing(torch.rand(1, MATERIALS, 8, 10), None, torch.rand(6, 5), torch.rand(6))


# Losses


def test_hsv_is_that_of_the_standard_library():
    """Twenty random colours, and black, grey and white."""
    colours = torch.rand(3, 20, generator=torch.Generator().manual_seed(1))
    colours = torch.cat([colours, torch.tensor([[0.0, 0.5, 1.0]]).expand(3, 3)], dim=1)
    found = hsv(colours.view(1, 3, 1, -1))[0, :, 0].T
    expected = torch.tensor([colorsys.rgb_to_hsv(*colour.tolist()) for colour in colours.T])
    assert torch.allclose(found, expected, atol=1e-6)


def test_hues_are_compared_the_short_way_round():
    """Two reds on either side of hue 0 are near each other."""
    one = torch.tensor([1.0, 0.0, 0.02]).view(1, 3, 1, 1)
    other = torch.tensor([1.0, 0.02, 0.0]).view(1, 3, 1, 1)
    assert float((hsv(one) - hsv(other)).abs().max()) > 0.9
    assert float(hsv_distance(one, other)) < 0.01


def test_gradients_of_losses_are_finite():
    """Also for grey and black, where hue is not defined, and for spectra of zeros."""
    made = torch.rand(3, 3, 4, 4)
    made[0], made[1] = 0.5, 0.0
    made.requires_grad_()
    (
        hsv_distance(made, torch.rand(3, 3, 4, 4)) + one_minus_cosine(made, torch.rand(3, 3, 4, 4))
    ).backward()
    assert torch.isfinite(made.grad).all()


def test_the_cosine_knows_angles_only():
    """0 for spectra of one direction whatever their brightness, 1 for orthogonal ones."""
    x = torch.rand(2, 5, 3, 3)
    assert float(one_minus_cosine(7 * x, x)) == pytest.approx(0.0, abs=1e-6)
    across = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    assert float(one_minus_cosine(*across)) == pytest.approx(1.0, abs=1e-4)


def test_orders_add_up_to_the_image():
    """What each number of reflections gives is what is left when the others are taken away."""
    torch.manual_seed(0)
    model = INSS(bands=7, materials=5, width=4, order=3, tile=8)
    model.library.copy_(torch.rand(7, 5))
    for weights in model.transform.parameters():
        torch.nn.init.normal_(weights)
    rgb = torch.rand(3, 37, 70)
    made, orders = model.reconstruct(rgb).image, model.orders(rgb)
    assert orders.shape == (3, 7, 37, 70)
    torch.testing.assert_close(orders.sum(dim=0), made)
    abundances = model.reconstruct(rgb).abundances
    torch.testing.assert_close(orders[0], torch.einsum("kn,nhw->khw", model.library, abundances))


def test_rows_of_tiles_are_mixed_apart(monkeypatch):
    """How many pixels are mixed at a time changes neither the image nor what is learned from it."""
    mixing = Mixing(MATERIALS, order=3, tile=D)
    made = []
    for pixels in (1, 10**6):
        monkeypatch.setattr("hsirepro.recovery.mixing.PIXELS", pixels)
        given = parts(mixing, rows=20, columns=8)
        for one in given:
            one.requires_grad_()
        image, linear = mixing(*given)
        (image.square().sum() + linear.sum()).backward()
        made.append([image, linear, *(one.grad for one in given)])
    for some, every in zip(*made, strict=True):
        torch.testing.assert_close(some, every)
