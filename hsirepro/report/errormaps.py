"""Where each method errs: false colour and error maps of all methods, drawn from records.

A figure of twelve methods so costs none of their runs. A record holds its maps as whole grey
levels; what one level stands for is part of what a record is, and is stated here as in the code
that writes it.

Four pictures of twelve methods are too many axes to lay out quickly. So the tiles of a column are
pasted into one picture, with room for a line of text above each, and columns are placed by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hsirepro.errors import ShapeError
from hsirepro.records import Record
from hsirepro.report.checks import Names, check_comparable, labels_of, require
from hsirepro.report.colour import RED_GREEN_BLUE
from hsirepro.report.runs import ANGLES
from hsirepro.report.style import MAP, WIDTH, book_style, new_figure

RMSE_LEVEL = 1e-4
"""One grey level of ``rmse_colour``, as a share of the scene's maximum."""
MRAE_LEVEL = 1e-3
"""One grey level of ``mrae`` and of the maps of sums of abundances, unitless."""
SAM_LEVEL = 0.01
"""One grey level of ``sam_centidegrees``, in degrees."""

PERCENTILE = 98.0  # of the errors of a method
PAGE = 9.0  # inches: of what is taller, half the methods stand in a second block on the right
EDGE, GAP, BETWEEN = 0.05, 0.07, 0.12  # inches beside all columns, between two, between blocks
HEAD, LINE, FOOT = 0.24, 0.17, 1.07  # inches for column names, a line above a tile, colour bars
FINE = 60  # pixels across a tile at least, so that the room above it is a whole number of them
SMALL = 7  # points


class ErrorMap(NamedTuple):
    """A column of the figure: a picture of a record, and how it is read."""

    picture: str
    level: float
    title: str
    unit: str
    mean: str


MAPS = (
    ErrorMap("rmse_colour", RMSE_LEVEL, "RMSE of colours", "share of scene maximum", "{:.4f}"),
    ErrorMap("mrae", MRAE_LEVEL, "MRAE", "relative error, unitless", "{:.3f}"),
    ErrorMap(ANGLES, SAM_LEVEL, "SAM", "spectral angle, degrees", "{:.2f}°"),
)


class Tile(NamedTuple):
    """The place of one picture: ``width`` in inches, all else in pixels of the pasted image."""

    width: float
    enlarged: int
    rows: int
    columns: int
    room: int

    @property
    def height(self) -> float:
        """Inches, with the room above."""
        return (self.rows + self.room) * self.width / self.columns


@book_style
def plot_error_maps(records: Sequence[Record], names: Names | None = None) -> Figure:
    """Draw the fused image of every method, and three maps of its errors.

    A map has one colour scale for all methods, so that colours can be compared down a column. It
    ends at the median, over the methods, of the 98th percentile of their maps: one method that
    fails does not darken the maps of the others. How many pixels lie above stands below the scale,
    and the mean of a map above it.

    Parameters
    ----------
    records : sequence of Record
        Of one scene and condition, with the pictures ``false_colour``, ``rmse_colour``
        (:data:`RMSE_LEVEL` a level), ``mrae`` (:data:`MRAE_LEVEL`) and ``sam_centidegrees``
        (:data:`SAM_LEVEL`). A few stand below each other, more in two blocks.
    names : mapping of str to (str or None), optional
        Our method name to the one to show; where it is missing or ``None``, our own.

    Returns
    -------
    matplotlib.figure.Figure
        Per method, from left to right: false colour; RMSE of the three bands of that image, as a
        share of the scene's maximum; MRAE of the cube; spectral angle (SAM) of the cube.

    Raises
    ------
    ParameterError
        If there are no records, if they mix scenes or conditions, or if one has no
        pictures.
    ShapeError
        If their pictures differ in size.
    """
    check_comparable(records)
    wanted = ["false_colour", *(one.picture for one in MAPS)]
    for record in records:
        require(record, "images", wanted, "pictures of errors")
    size = _size(records, wanted)
    blocks = 1 if _height(len(records), _tile(size, 1)) <= PAGE else 2
    rows, tile = math.ceil(len(records) / blocks), _tile(size, blocks)
    figure = new_figure(_height(rows, tile), layout=None)
    norms = [_norm(records, one) for one in MAPS]
    labels = labels_of(records, names)
    for block in range(blocks):
        part = slice(block * rows, (block + 1) * rows)
        places = [_left(4 * block + column, block, tile) for column in range(4)]
        colours = [record.images["false_colour"] for record in records[part]]
        look: dict[str, Any] = {"fontweight": "bold"}
        _draw_column(figure, places[0], tile, "False colour", colours, labels[part], 255, **look)
        for one, norm, place in zip(MAPS, norms, places[1:], strict=True):
            maps = [record.images[one.picture] * one.level for record in records[part]]
            means = ["mean " + one.mean.format(values.mean()) for values in maps]
            axes = _draw_column(figure, place, tile, one.title, maps, means, np.nan)
            axes.images[0].set(cmap=MAP, norm=norm)
    _draw_bars(figure, records, norms)
    return figure


def _size(records: Sequence[Record], pictures: Sequence[str]) -> tuple[int, int]:
    """Return rows and columns of all pictures."""
    sizes = {record.images[name].shape[:2] for record in records for name in pictures}
    if len(sizes) > 1:
        raise ShapeError(
            "Pictures of one size are needed to compare methods.",
            given="; ".join(f"{rows} x {columns} pixels" for rows, columns in sorted(sizes)),
            next_step="give records of one crop of the scene",
        )
    return sizes.pop()


def _tile(size: tuple[int, int], blocks: int) -> Tile:
    """Return how a picture of ``size`` is placed where ``blocks`` stand side by side.

    The taller the scene the taller its tiles, within what a page can hold: from 0.4 to 2 times as
    tall as wide.
    """
    across = 4 * blocks
    width = (WIDTH - 2 * EDGE - (across - 1) * GAP - (blocks - 1) * BETWEEN) / across
    enlarged = math.ceil(FINE / max(size))
    rows, columns = size[0] * enlarged, size[1] * enlarged
    columns = max(columns, math.ceil(rows / 2))
    rows = max(rows, round(0.4 * columns))
    return Tile(width, enlarged, rows, columns, round(LINE / width * columns))


def _height(rows: int, tile: Tile) -> float:
    """Return how tall the figure is, in inches."""
    return HEAD + rows * tile.height + FOOT


def _left(column: int, block: int, tile: Tile) -> float:
    """Return where a column begins, in inches from the left."""
    return EDGE + column * (tile.width + GAP) + block * BETWEEN


def _draw_column(
    figure: Figure,
    left: float,
    tile: Tile,
    title: str,
    pictures: Sequence[np.ndarray],
    texts: Sequence[str],
    nothing: float,
    **look: Any,
) -> Axes:
    """Draw pictures below each other, a text above each; ``nothing`` is between them."""
    pasted = np.concatenate([_pasted(picture, tile, nothing) for picture in pictures])
    height = tile.width / tile.columns * len(pasted)
    axes = _axes(figure, left, figure.get_figheight() - HEAD - height, tile.width, height)
    axes.set_axis_off()
    axes.imshow(pasted, interpolation="nearest", aspect="auto")
    for row, text in enumerate(texts):
        bottom = row * (tile.rows + tile.room) + 0.85 * tile.room
        # Bold letters are about 0.65 of their size wide; no name may run into the next column.
        points = min(SMALL, 72 * (tile.width + GAP) / (0.65 * len(text)))
        axes.text(0, bottom, text, va="bottom", fontsize=points, **look)
    axes.set_title(title, y=1.0, fontsize=8, pad=4)  # a height of its own takes no search for one
    return axes


def _pasted(picture: np.ndarray, tile: Tile, nothing: float) -> np.ndarray:
    """Return a picture in the middle of its tile, with the room above it."""
    large = picture.repeat(tile.enlarged, axis=0).repeat(tile.enlarged, axis=1)
    down, across = tile.rows - large.shape[0], tile.columns - large.shape[1]
    around = [(tile.room + down // 2, down - down // 2), (across // 2, across - across // 2)]
    colours = [(0, 0)] * (picture.ndim - 2)
    return np.pad(large, around + colours, constant_values=nothing)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / high, width / wide, height / high))


def _draw_bars(figure: Figure, records: Sequence[Record], norms: Sequence[Normalize]) -> None:
    """Draw the scale of each map, and say where it ends and what lies above."""
    third = WIDTH / len(MAPS)
    for place, (one, norm) in enumerate(zip(MAPS, norms, strict=True)):
        axes = _axes(figure, (place + 0.08) * third, 0.86, 0.84 * third, 0.08)
        scale = ScalarMappable(norm, MAP)
        bar = figure.colorbar(scale, cax=axes, orientation="horizontal", extend="max")
        bar.locator = MaxNLocator(5)
        levels = np.concatenate([record.images[one.picture].ravel() for record in records])
        above = 100 * float((norm(levels * one.level) > 1).mean())
        bar.set_label(
            f"{one.title} ({one.unit})\n{above:.1f} % of all pixels lie above", fontsize=SMALL
        )
        axes.tick_params(labelsize=SMALL)
    end = "98th percentile"
    if len(records) > 1:
        end = f"median, over the methods, of the {end}s of their maps"
    colours = " / ".join(f"{nm:g}" for nm in RED_GREEN_BLUE)
    note = (
        f"Each scale ends at the {end}; larger values have its last colour.\n"
        f"False colour, and the RMSE of its three bands: those nearest to {colours} nm."
    )
    figure.text(0.5, 0.05 / figure.get_figheight(), note, ha="center", fontsize=SMALL)


def _norm(records: Sequence[Record], one: ErrorMap) -> Normalize:
    """Return the scale of a map for all records; maps without errors are drawn as such."""
    ends = [np.percentile(record.images[one.picture], PERCENTILE) for record in records]
    return Normalize(0, max(float(np.median(ends)), 1.0) * one.level)
