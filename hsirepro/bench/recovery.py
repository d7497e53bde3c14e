"""Time the mixing model of INSS beside its matrix products alone, and pixel by pixel.

The weights of a tile's networks are used by all its pixels, so that a tile is one product per
layer. What no way of computing gets around are these products, forward and backward, and those of
T; what the model may add is the time of everything between them. A plain formulation repeats the
weights for every pixel, which takes 12 GB at this size: it is timed on a smaller image.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from hsirepro.bench.memory import peak_mb
from hsirepro.recovery.inss_net import TRANSFORM_WIDTH, transform
from hsirepro.recovery.mixing import LARGEST, SLOPE, Mixing, place_codes, to_tiles
from hsirepro.training.loop import keep_freed_memory

SIDE, SMALLER = 256, 64  # pixels of the image, and of the one that is mixed pixel by pixel
MATERIALS, BANDS, TILE, ORDER = 345, 196, 16, 3
FEATURES = {"small": 128, "paper": 1024}
"""Channels that T is given, by preset: F's at a 16th of the image."""
ROUNDS = 3


@cache
def problem(side: int, channels: int) -> tuple[Mixing, nn.Module, tuple[Tensor, ...]]:
    """Return a mixing model, T, and features, abundances, library and t."""
    torch.manual_seed(0)
    mixing = Mixing(MATERIALS, ORDER, tile=TILE)
    given = (
        torch.randn(1, channels, side // TILE, side // TILE, requires_grad=True),
        torch.randn(1, MATERIALS, side, side).softmax(dim=1).requires_grad_(),
        torch.rand(BANDS, MATERIALS),
        torch.rand(BANDS, requires_grad=True),
    )
    return mixing, transform(channels, mixing.weights_per_tile, spectral_norm=False), given


def model(side: int, channels: int) -> None:
    """Run T and N forward and backward."""
    mixing, net, (features, abundances, library, t) = problem(side, channels)
    image, linear = mixing(abundances, net(features), library, t)
    (image.sum() + linear.sum()).backward()  # type: ignore[no-untyped-call]


def by_pixel(side: int, channels: int) -> None:
    """Run the same with weights repeated for every pixel."""
    mixing, net, (features, abundances, library, t) = problem(side, channels)
    image, linear = mix_by_pixel(mixing, abundances, net(features), library, t)
    (image.sum() + linear.sum()).backward()  # type: ignore[no-untyped-call]


def mix_by_pixel(
    mixing: Mixing, abundances: Tensor, weights: Tensor, library: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what ``mixing`` makes of one image, pixels first: shapes (H * W, K)."""
    _, _, H, W = abundances.shape
    shares = abundances[0].flatten(1).T
    own = weights[0].repeat_interleave(mixing.tile, 1).repeat_interleave(mixing.tile, 2)
    own = own.flatten(1).T  # (H * W, weights_per_tile)
    codes = place_codes(mixing.tile).view(mixing.tile, mixing.tile, -1)
    places = codes.repeat(H // mixing.tile, W // mixing.tile, 1).flatten(0, 1)
    total = reflected = linear = (shares @ library.T) * t
    sizes = [n for inputs, outputs in mixing.layers for n in (outputs, inputs * outputs)]
    given = iter(torch.split(own, sizes * (mixing.order - 1), dim=1))
    for _ in range(mixing.order - 1):
        x = torch.cat([places, shares], dim=1)
        for number, (inputs, outputs) in enumerate(mixing.layers):
            if number:
                x = nn.functional.leaky_relu(x, SLOPE)
            bias, matrix = next(given), next(given).view(-1, inputs, outputs)
            x = torch.bmm(x[:, None], matrix)[:, 0] + bias
        reflected = reflected * ((LARGEST * x.tanh()) @ library.T)
        total = total + reflected
    return total, linear


@cache
def factors(side: int, channels: int) -> list[tuple[Tensor, Tensor, bool]]:
    """Return the factors of every product of T and N forward, and whether both learn."""
    mixing, _, (features, abundances, library, _) = problem(side, channels)
    tiles = to_tiles(abundances.detach(), TILE)
    places = features.shape[2] * features.shape[3]
    T = TRANSFORM_WIDTH
    pairs = [
        (torch.randn(places, 9 * channels), torch.randn(9 * channels, T), True),
        (torch.randn(places, T), torch.randn(T, mixing.weights_per_tile), True),
        (tiles.flatten(0, 1), library.T, False),
    ]
    for _ in range(ORDER - 1):
        for inputs, outputs in mixing.layers:
            shape = (len(tiles), TILE * TILE, inputs)
            pairs.append((torch.randn(shape), torch.randn(len(tiles), inputs, outputs), True))
        pairs.append((torch.randn(side * side, MATERIALS), library.T, False))
    return pairs


def products(side: int, channels: int) -> None:
    """Multiply alone: A B forward, and backward dA = G B^T and, where B learns, dB = A^T G."""
    for a, b, learns in factors(side, channels):
        made = a @ b
        made @ b.mT
        if learns:
            a.mT @ made


def report(threads: int) -> None:
    """Print seconds, time over that of the products, and peaks, for both widths."""
    torch.set_num_threads(threads)
    keep_freed_memory()  # as every training does
    print(
        f"\nMixing model of INSS, T and N forward and backward, {SIDE} x {SIDE} pixels, "
        f"{MATERIALS} spectra, {BANDS} bands, order {ORDER}, tiles of {TILE}, {threads} threads; "
        f"best of {ROUNDS} rounds in turn"
    )
    for preset, channels in FEATURES.items():
        works: dict[str, Callable[[], None]] = {
            "matrix products": lambda c=channels: products(SIDE, c),  # type: ignore[misc]
            "T and N": lambda c=channels: model(SIDE, c),  # type: ignore[misc]
            "pixel by pixel": lambda c=channels: by_pixel(SMALLER, c),  # type: ignore[misc]
        }
        taken = {name: float("inf") for name in works}
        for turn in range(ROUNDS):
            for name, work in works.items():
                if turn and name == "pixel by pixel":  # the first was slow enough
                    continue
                start = time.perf_counter()
                work()
                taken[name] = min(taken[name], time.perf_counter() - start)
        bare, ours, slow = taken.values()
        call = f"alone({SIDE}, {channels}, {threads})"
        print(f"  {preset} width, T of {channels} channels")
        print(f"    matrix products alone  {bare:6.2f} s, {_each(bare, SIDE)}")
        print(
            f"    T and N                {ours:6.2f} s, {_each(ours, SIDE)}, x{ours / bare:.2f} "
            f"of the products, peak {peak_mb(__name__, call):.0f} MB"
        )
        print(
            f"    pixel by pixel         {slow:6.2f} s, {_each(slow, SMALLER)}, on {SMALLER} x "
            f"{SMALLER} pixels, where its weights are {_weights_gb(SMALLER):.1f} GB; "
            f"{_weights_gb(SIDE):.0f} GB on the whole"
        )


def alone(side: int, channels: int, threads: int) -> None:
    """Run T and N with so many threads, in a process that does nothing else."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    model(side, channels)


def _each(seconds: float, side: int) -> str:
    return f"{1e6 * seconds / side**2:6.1f} us/pixel"


def _weights_gb(side: int) -> float:
    return 4e-9 * side**2 * Mixing(MATERIALS, ORDER, tile=TILE).weights_per_tile
