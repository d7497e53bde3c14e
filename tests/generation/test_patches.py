"""Patches: every position alike, views of the scene, and no bad pixel gets in."""

from __future__ import annotations

import pytest
import torch

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.generation import Patches


def numbered(rows: int, columns: int, start: float = 1.0) -> torch.Tensor:
    """Return an image of two bands whose pixels all differ."""
    one = start + torch.arange(rows * columns, dtype=torch.float32).reshape(1, rows, columns)
    return torch.cat([one, 2 * one])


def test_positions_run_through_every_tile_of_every_image_once() -> None:
    """The k-th position is a tile of its own, in the order of rows, columns and images."""
    patches = Patches([numbered(5, 7), numbered(4, 4, start=1000.0)], size=3)
    assert patches.positions == 3 * 5 + 2 * 2
    tiles = patches.at(range(patches.positions))
    expected = [patches.images[0][:, r : r + 3, c : c + 3] for r in range(3) for c in range(5)]
    expected += [patches.images[1][:, r : r + 3, c : c + 3] for r in range(2) for c in range(2)]
    assert torch.equal(tiles, torch.stack(expected))


def test_every_position_is_as_likely_as_any_other() -> None:
    """Positions are drawn uniformly over the images, also where one is much larger."""
    patches = Patches([numbered(9, 9), numbered(3, 4, start=1000.0)], size=3)
    corners = patches.draw(8000, torch.Generator().manual_seed(0))[:, 0, 0, 0]
    counts = torch.tensor([int((corners == c).sum()) for c in corners.unique()])
    assert len(counts) == patches.positions == 51
    expected = 8000 / 51
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 90  # 50 degrees of freedom: exceeded once in 2,500 draws


def test_same_seed_same_tiles() -> None:
    """A seed names the tiles; without one the global generator does, which checkpoints keep."""
    patches = Patches([numbered(9, 8)], size=2)
    first = patches.draw(5, torch.Generator().manual_seed(3))
    assert torch.equal(first, patches.draw(5, torch.Generator().manual_seed(3)))
    torch.manual_seed(3)
    assert torch.equal(first, patches.draw(5))


def test_a_per_pixel_function_commutes_with_cutting() -> None:
    """Tiles of a mapped image are mapped tiles."""
    patches = Patches([numbered(6, 5)], size=3)
    mapped = patches.mapped(lambda image: (1.0 + image).log()[:1])
    assert torch.equal(mapped.at([4, 7]), (1.0 + patches.at([4, 7])).log()[:, :1])
    assert mapped.bands == 1
    assert mapped.positions == patches.positions


def test_pixels_are_columns_of_all_images() -> None:
    """Nothing is left out for unmixing."""
    first, second = numbered(3, 4), numbered(2, 5, start=50.0)
    pixels = Patches([first, second], size=2).pixels()
    assert torch.equal(pixels, torch.cat([first.flatten(1), second.flatten(1)], dim=1))


@pytest.mark.parametrize(
    ("images", "size", "error", "text"),
    [
        ([], 3, ShapeError, "no image of shape"),
        ([torch.rand(5, 5)], 3, ShapeError, r"\(5, 5\)"),
        ([numbered(5, 5), torch.rand(3, 5, 5)], 3, ShapeError, "numbers of bands: 2, 3"),
        ([numbered(5, 9)], 6, ParameterError, "6 x 6 pixels does not fit the image of 5 x 9"),
        ([numbered(5, 9)], 0, ParameterError, "at most 5"),
        ([-numbered(5, 5)], 3, PixelError, "1e\\+02 % of the values are negative"),
        ([torch.zeros(2, 5, 5)], 3, PixelError, "All pixels are 0"),
        ([torch.full((2, 5, 5), 0.3)], 3, PixelError, "All pixels are 0.3"),
        ([torch.full((2, 5, 5), float("nan"))], 3, PixelError, "25 pixels are NaN"),
    ],
)
def test_bad_images_are_refused(
    images: list[torch.Tensor], size: int, error: type[Exception], text: str
) -> None:
    """The error names what is wrong before any training."""
    with pytest.raises(error, match=text):
        Patches(images, size)
