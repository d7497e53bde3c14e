r"""Point fidelity and block diversity: how generated tiles lie to a real scene, without pairs.

A generated image has no reference of its own, so each of its parts is held against all parts of
the real one. Point fidelity asks whether its spectra are those of the scene [1]_,

    F_p = 1/|Y^| sum_{y^ in Y^} max_{y in Y} cos(y^, y),                      eq. 16

with the pixels y^ of the generated and y of the real image. Block diversity asks whether a tile
is a copy of a place in the scene, which is why less is better,

    D_b = 1/N_b sum_b max_{b'} similarity(b, b'),                             eq. 17

with all tiles b and all blocks b' of their size in the scene, one for every position. Eq. 17 as
printed divides one cosine by the number of pixels, so it has two readings:

    pixelwise    similarity = 1/|b| sum_{p in b} cos(b_p, b'_p)      mean of the pixels' cosines
    block        similarity = <b, b'> / (|b| |b'|)                   cosine of the flattened blocks

The first ignores the brightness of every pixel, the second that of the tile. The search of eq. 16
is a matrix product in float32 whose largest entry per row is kept: a cosine is right to 1e-6. That
of eq. 17 runs in float64, see :mod:`hsirepro.metrics.correlation`.

Neither needs labels, a network, or wavelengths. Both say little alone, without the values of tiles
that nobody would take for generated: real pixels in another order have F_p = 1, a spectrum that is
equal in all bands may have 0.99, and noise is as diverse as can be.

An all-zero spectrum has no direction. As in :func:`hsirepro.metrics.sam`, its cosine with another
all-zero spectrum is 1 and with any other 0; likewise for all-zero blocks.

References
----------
.. [1] S. Shen, B. Pan, Z. Zhang, Z. Shi, "Hyperspectral image generation with unmixing guided
   diffusion model", arXiv:2506.02601, 2025, section III-D.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, ShapeError, suggest
from hsirepro.metrics.correlation import READINGS, Reading, nearest_places
from hsirepro.metrics.pairs import positive

Scenes = Tensor | Sequence[Tensor]

_SLAB = 2**14  # pixels that are normalised at a time
_ROWS, _COLUMNS = 512, 1024  # of the product: 2 MB, which stay in the cache until compared


class BlockMatches(NamedTuple):
    """The most similar place of the real scenes for each of n tiles; fields of shape (n,).

    ``similarity`` is float64; ``scene``, ``row`` and ``column`` say which scene and where in it
    the upper left pixel of the place lies.
    """

    similarity: Tensor
    scene: Tensor
    row: Tensor
    column: Tensor


def point_fidelity(generated: Tensor, real: Scenes) -> float:
    """Return F_p, eq. 16: the mean over generated pixels of the largest cosine to a real one.

    Parameters
    ----------
    generated : Tensor, shape (n, L, h, w)
    real : Tensor, shape (L, H, W), or sequence of such
        One or several scenes; a pixel may find its like in any of them.

    Returns
    -------
    float
        At most 1, which is reached if every spectrum is a multiple of a real one.

    Raises
    ------
    ParameterError, ShapeError, PixelError
        If an image is no tensor, does not fit the others, or holds NaN or infinite pixels.

    Examples
    --------
    >>> scene = torch.rand(5, 12, 10, generator=torch.Generator().manual_seed(0))
    >>> round(point_fidelity(3.0 * scene[None, :, 2:6, 4:8], scene), 6)
    1.0
    """
    return float(point_fidelity_map(generated, real).mean(dtype=torch.float64))


def point_fidelity_map(generated: Tensor, real: Scenes) -> Tensor:
    """Return the largest cosine of each generated pixel, shape (n, h, w), float32; see above."""
    scenes = _checked(generated, real)
    n, _, h, w = generated.shape
    best = torch.empty(n * h * w, device=generated.device)
    for part, mine in _unit_spectra(generated, generated.device):
        nearest = best[part].fill_(-1.0)
        for scene in scenes:
            for _, theirs in _unit_spectra(scene[None], generated.device):
                _raise_to_largest_product(nearest, mine, theirs)
    return best.clamp_(max=1.0).reshape(n, h, w)


def block_diversity(generated: Tensor, real: Scenes, *, reading: Reading) -> float:
    """Return D_b, eq. 17: the mean over tiles of the similarity to the nearest place.

    Parameters
    ----------
    generated : Tensor, shape (n, L, h, w)
        Each tile is one block.
    real : Tensor, shape (L, H, W), or sequence of such
        One or several scenes, none smaller than a tile.
    reading : {"pixelwise", "block"}
        Mean of the cosines of pixels, or cosine of the flattened blocks.

    Returns
    -------
    float
        At most 1: every tile is a copy. Less is more diverse.

    Raises
    ------
    ParameterError, ShapeError, PixelError
        As for :func:`point_fidelity`; also if ``reading`` is unknown or a scene is too small.

    Examples
    --------
    >>> scene = torch.rand(5, 12, 10, generator=torch.Generator().manual_seed(0))
    >>> round(block_diversity(scene[None, :, 2:6, 4:8], scene, reading="block"), 6)
    1.0
    """
    return float(block_matches(generated, real, reading=reading).similarity.mean())


def block_matches(generated: Tensor, real: Scenes, *, reading: Reading) -> BlockMatches:
    """Return the nearest place of each tile over all positions; see :func:`block_diversity`."""
    if reading not in READINGS:
        raise ParameterError(
            f"reading={reading!r} of eq. 17 is unknown.", next_step=suggest(str(reading), READINGS)
        )
    scenes = _checked(generated, real)
    _, _, h, w = generated.shape
    for number, scene in enumerate(scenes):
        if scene.shape[1] < h or scene.shape[2] < w:
            raise ShapeError(
                f"Scene {number} of {scene.shape[1]} x {scene.shape[2]} pixels has no place for "
                f"a tile of {h} x {w}.",
                next_step="cut the generated tiles to the size of the scene",
            )
    found = [nearest_places(generated, scene, reading) for scene in scenes]
    similarity, row, column = (torch.stack(parts) for parts in zip(*found, strict=True))
    best = similarity.argmax(dim=0, keepdim=True)
    return BlockMatches(
        similarity.gather(0, best)[0], best[0], row.gather(0, best)[0], column.gather(0, best)[0]
    )


def diversity_over_fidelity(diversity: float, fidelity: float) -> float:
    """Return D_b / F_p, the ratio of Table I; less is better.

    Parameters
    ----------
    diversity, fidelity : float
        From :func:`block_diversity` and :func:`point_fidelity`.

    Raises
    ------
    ParameterError
        If ``fidelity`` is not positive, as of tiles that are all zero.

    Examples
    --------
    >>> round(diversity_over_fidelity(0.912, 0.999), 3)
    0.913
    """
    return float(diversity) / positive("fidelity", fidelity)


def _checked(generated: Tensor, real: Scenes) -> list[Tensor]:
    """Return the scenes as a list if all images can be compared."""
    scenes = [real] if isinstance(real, Tensor) else list(real)
    images = {"generated": generated}
    images |= {f"real scene {number}": scene for number, scene in enumerate(scenes)}
    for name, image in images.items():
        if not isinstance(image, Tensor):
            raise ParameterError(
                f"What is {name} is a {type(image).__name__}, not a torch tensor.",
                next_step="hsirepro.scenes.to_tensor(cube), or torch.from_numpy(array)",
            )
        axes = ("n", "L", "h", "w") if name == "generated" else ("L", "H", "W")
        if image.ndim != len(axes) or not image.numel():
            raise ShapeError(
                f"What is {name} has shape {tuple(image.shape)}; ({', '.join(axes)}) is needed, "
                "not empty.",
                next_step="a single tile is tile[None]",
            )
        if image.shape[-3] != generated.shape[1]:
            raise ShapeError(
                f"The {name} has {len(image)} bands, the generated tiles have "
                f"{generated.shape[1]}.",
                next_step="select the same bands in both",
            )
        # The extremes need no copy of the image, and are NaN if any pixel is.
        if not all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(image)):
            raise PixelError(
                f"What is {name} holds NaN or infinite pixels; no cosine is defined.",
                next_step="mask or fill them before comparing",
            )
    if not scenes:
        raise ShapeError("There is no real scene to compare with.")
    return scenes


def _unit_spectra(cubes: Tensor, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Yield slabs of unit spectra (N, L + 1), and where their pixels stand among all.

    The last coordinate is 1 for an all-zero spectrum: a direction of its own.
    """
    n, L, h, w = cubes.shape
    step = max(1, _SLAB // w)
    for start in range(0, n * h, step):
        row = torch.arange(start, min(start + step, n * h), device=cubes.device)
        spectra = cubes[row // h, :, row % h].to(device, torch.float64)  # (rows, L, w)
        norm = torch.linalg.vector_norm(spectra, dim=1, keepdim=True)
        unit = torch.cat([spectra / norm.where(norm > 0, 1.0), (norm == 0).double()], dim=1)
        pixels = unit.float().transpose(1, 2).reshape(-1, L + 1)
        yield slice(start * w, start * w + len(pixels)), pixels


def _raise_to_largest_product(nearest: Tensor, mine: Tensor, theirs: Tensor) -> None:
    """Raise ``nearest``, shape (N,), to the largest entry of each row of ``mine @ theirs.T``."""
    room = mine.new_empty(_ROWS, _COLUMNS)
    for a in range(0, len(mine), _ROWS):
        rows, best = mine[a : a + _ROWS], nearest[a : a + _ROWS]
        for b in range(0, len(theirs), _COLUMNS):
            columns = theirs[b : b + _COLUMNS]
            product = torch.mm(rows, columns.T, out=room[: len(rows), : len(columns)])
            torch.maximum(best, product.amax(dim=1), out=best)
