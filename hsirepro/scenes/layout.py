"""Ground plan of a planted scene: which material lies where, finer than a pixel.

The plan is drawn on a grid ``FINE`` times finer than the image, one material per cell, so that
the abundances of a pixel are what they are in nature: the share of the pixel that each material
covers. Layers are painted one over the other, as they lie on the ground: fields, town blocks,
river, roads, buildings with their shadows, trees, cars. Lengths are in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

FINE = 4
"""Cells per pixel, along each axis."""

SHADOW = 0.4
"""Share of the light that reaches a shaded surface (sky light)."""

Roles = Mapping[str, Sequence[int]]
Floats = NDArray[np.float64]


def correlated_noise(rows: int, cols: int, length: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise (rows, cols), zero mean, unit variance, correlated over ``length`` pixels."""
    noise = gaussian_filter(rng.standard_normal((rows, cols)), length, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std())


def refine(image: Floats) -> Floats:
    """Repeat each pixel of ``image`` (rows, cols) over its ``FINE`` x ``FINE`` cells."""
    return np.asarray(image.repeat(FINE, axis=0).repeat(FINE, axis=1))


class GroundPlan:
    """Ground plan under construction.

    Attributes
    ----------
    labels : ndarray of uint8, shape (rows * FINE, cols * FINE)
        Index of the material in each cell.
    objects : ndarray of int32, same shape
        Number of the field, roof, tree ... that a cell belongs to.
    light : ndarray of float64, same shape
        Light on the cell: 1 on level ground in the sun, less in shadow, either on sloped roofs.
    """

    def __init__(self, rows: int, cols: int, roles: Roles, rng: np.random.Generator) -> None:
        self.rows, self.cols, self.roles, self.rng = rows, cols, roles, rng
        shape = (rows * FINE, cols * FINE)
        self.labels = np.zeros(shape, np.uint8)
        self.objects = np.zeros(shape, np.int32)
        self.light = np.ones(shape)
        self.built = np.zeros(shape, bool)  # no building or tree may stand here
        self.roads = np.zeros(shape, bool)
        self.count = 0
        self.y = ((np.arange(shape[0]) + 0.5) / FINE)[:, None]
        self.x = ((np.arange(shape[1]) + 0.5) / FINE)[None, :]
        self.angle = rng.uniform(-0.5, 0.5)  # of the road grid, rad
        self.town = self._town()

    def _town(self) -> NDArray[np.bool_]:
        """Draw the town: one side of a ragged line across the scene, about half of it."""
        heading = self.rng.uniform(0, 2 * np.pi)
        across = np.cos(heading) * (self.y / self.rows - 0.5)
        across = across + np.sin(heading) * (self.x / self.cols - 0.5)
        ragged = correlated_noise(self.rows, self.cols, min(self.rows, self.cols) / 10, self.rng)
        return np.asarray(across + 0.1 * refine(ragged) > -0.05)

    def paint(self, mask: NDArray[np.bool_], label: int) -> None:
        """Cover ``mask`` with material ``label`` as one new object."""
        self.count += 1
        self.labels[mask] = label
        self.objects[mask] = self.count

    def parcels(self, where: NDArray[np.bool_], area: float, candidates: Sequence[int]) -> None:
        """Divide ``where`` into Voronoi parcels of mean ``area``, each a mix of two materials.

        The second material shows through in rows (as crops are sown), in patches and at random,
        which gives the parcels texture down to the pixel.
        """
        rng, n = self.rng, max(8, round(self.rows * self.cols / area))
        sites = rng.uniform(0, 1, (n, 2)) * (self.rows, self.cols)
        cells = np.stack(np.broadcast_arrays(self.y, self.x), axis=-1)[where]
        parcel = cKDTree(sites).query(cells)[1]
        patches = refine(correlated_noise(self.rows, self.cols, 2.5, rng))[where]
        heading = rng.uniform(0, np.pi, n)[parcel]
        along = cells[:, 0] * np.cos(heading) + cells[:, 1] * np.sin(heading)
        sown = np.sin(2 * np.pi * along / rng.uniform(2.2, 5.0, n)[parcel])
        sown *= (rng.uniform(0, 1, n) * (rng.uniform(0, 1, n) < 0.6))[parcel]
        texture = 0.6 * patches + 1.2 * sown + rng.standard_normal(len(cells))
        first, second = rng.choice(candidates, n), rng.choice(candidates, n)
        covered = texture < rng.uniform(0.2, 2.5, n)[parcel]
        self.labels[where] = np.where(covered, first[parcel], second[parcel])
        self.objects[where] = self.count + 1 + parcel
        self.count += n

    def river(self, label: int) -> None:
        """Let one river wind through the scene, along its rows or its columns."""
        rng, size = self.rng, min(self.rows, self.cols)
        along, across = self.y / self.rows, self.x / self.cols
        if rng.uniform() < 0.5:
            along, across = across, along
        bends = rng.uniform(0.8, 1.6)
        course = rng.uniform(0.25, 0.75) + 0.1 * np.sin(2 * np.pi * (bends * along + rng.uniform()))
        course = course + 0.02 * np.sin(2 * np.pi * (5 * along + rng.uniform()))
        half_width = rng.uniform(0.022, 0.035) * max(1.0, 64 / size)
        self._reserve(np.asarray(np.abs(across - course) < half_width), label)

    def _reserve(self, mask: NDArray[np.bool_], label: int) -> None:
        self.paint(mask, label)
        self.built |= mask

    def street_grid(self, labels: Sequence[int]) -> None:
        """Draw two families of parallel roads; outside the town only the main ones go on."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        reach = float(self.rows + self.cols)
        for offset in (self.x * cos + self.y * sin, self.y * cos - self.x * sin):
            position, line = -reach, 0
            while position < reach:
                position += self.rng.uniform(9.0, 19.0)
                line += 1
                main = line % 4 == 0
                half_width = self.rng.uniform(1.0, 1.6) if main else self.rng.uniform(0.45, 0.9)
                mask = np.abs(offset - position) < half_width
                self._reserve(mask if main else mask & self.town, self.rng.choice(labels))
                self.roads |= mask & (self.town | main)

    def _window(self, y: float, x: float, reach: float) -> tuple[slice, slice]:
        """Cells within ``reach`` pixels of (y, x)."""
        top, left = max(0, int((y - reach) * FINE)), max(0, int((x - reach) * FINE))
        return slice(top, int((y + reach) * FINE) + 1), slice(left, int((x + reach) * FINE) + 1)

    def _axes(self, window: tuple[slice, slice], y: float, x: float) -> tuple[Floats, Floats]:
        """Distances of the cells in ``window`` from (y, x) along the two road directions."""
        dy, dx = self.y[window[0]] - y, self.x[:, window[1]] - x
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def building(self, y: float, x: float, labels: Sequence[int]) -> None:
        """Put up one gabled or flat building with its shadow, unless the plot is taken."""
        long, short = self.rng.uniform(1.6, 4.5), self.rng.uniform(1.0, 2.4)
        height, ridge = self.rng.uniform(0.5, 1.8), self.rng.uniform(-0.22, 0.22)
        label = self.rng.choice(labels)
        window = self._window(y, x, long + short + height)
        u, v = self._axes(window, y, x)
        roof = (np.abs(u) < long) & (np.abs(v) < short)
        if self.built[window][roof].any():
            return
        u, v = self._axes(window, y - 0.7 * height, x + 0.7 * height)  # sun in the south-west
        shadow = (np.abs(u) < long) & (np.abs(v) < short) & ~roof & ~self.built[window]
        self.light[window][shadow] = SHADOW
        self.count += 1
        self.labels[window][roof] = label
        self.objects[window][roof] = self.count
        _, v = self._axes(window, y, x)
        slope = np.where(np.broadcast_to(v, roof.shape) > 0, 1 + ridge, 1 - ridge)
        self.light[window][roof] = slope[roof]
        self.built[window] |= roof

    def tree(self, y: float, x: float, label: int) -> None:
        """Plant one tree: a disc, bright towards the sun and dark away from it."""
        radius = self.rng.uniform(0.4, 1.7)
        window = self._window(y, x, 2 * radius)
        dy, dx = self.y[window[0]] - y, self.x[:, window[1]] - x
        crown = (dy**2 + dx**2 < radius**2) & ~self.built[window]
        shade = (dy + 0.6 * radius) ** 2 + (dx - 0.6 * radius) ** 2 < radius**2
        self.light[window][shade & ~crown & ~self.built[window]] = SHADOW
        self.count += 1
        self.labels[window][crown] = label
        self.objects[window][crown] = self.count
        self.light[window][crown] = (1 + 0.18 * (dy - dx) / radius)[crown]

    def car(self, y: float, x: float, label: int) -> None:
        """Park one car, half a pixel by a pixel: a point source for the point spread function."""
        window = self._window(y, x, 1.0)
        u, v = self._axes(window, y, x)
        body = (np.abs(u) < 0.5) & (np.abs(v) < 0.27) & self.roads[window]
        self.count += 1
        self.labels[window][body] = label
        self.objects[window][body] = self.count

    def scatter(self, n: int) -> Floats:
        """Draw ``n`` positions (n, 2) uniformly over the scene, in pixels."""
        return self.rng.uniform(0, 1, (n, 2)) * (self.rows, self.cols)

    def in_town(self, y: float, x: float) -> bool:
        """Tell whether the town covers (y, x)."""
        return bool(self.town[int(y * FINE), int(x * FINE)])


def ground_plan(rows: int, cols: int, roles: Roles, rng: np.random.Generator) -> GroundPlan:
    """Draw the ground plan of one scene.

    Parameters
    ----------
    rows, cols : int
        Size of the image, pixels.
    roles : mapping of str to sequence of int
        Indices of the materials that may serve as ``field``, ``ground``, ``road``, ``roof``,
        ``water``, ``tree`` and ``car``. A layer without materials is left out, except the
        fields, which must have one.
    rng : numpy.random.Generator
        Source of every random choice.

    Returns
    -------
    GroundPlan
    """
    plan, area = GroundPlan(rows, cols, roles, rng), rows * cols
    plan.parcels(np.ones_like(plan.town), 260.0, roles["field"])
    if roles["ground"]:
        plan.parcels(plan.town, 45.0, roles["ground"])
    if roles["water"]:
        plan.river(roles["water"][0])
    if roles["road"]:
        plan.street_grid(roles["road"])
    if roles["roof"]:
        for y, x in plan.scatter(max(6, area // 18)):
            if plan.in_town(y, x) or rng.uniform() < 0.03:
                plan.building(y, x, roles["roof"])
    if roles["tree"]:
        woods = refine(correlated_noise(rows, cols, 4.0, rng))
        for y, x in plan.scatter(max(12, area // 10)):
            if woods[int(y * FINE), int(x * FINE)] > 0.8 or rng.uniform() < 0.12:
                plan.tree(y, x, roles["tree"][0])
    if roles["car"]:
        for y, x in plan.scatter(area // 25):
            plan.car(y, x, rng.choice(roles["car"]))
    return plan
