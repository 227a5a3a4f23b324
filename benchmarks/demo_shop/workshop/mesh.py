"""The one mesh type every shape returns and every renderer reads, with the moves that place it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Mesh:
    """Triangles in centimetres, z up, the floor at z = 0.

    points (n, 3) and normals (n, 3) float64; faces (m, 3) int; uv (n, 2) in centimetres of
    surface. `extent` is the (u, v) size of the whole surface and `wraps` says that u closes on
    itself, so that a pattern can be laid out without a seam.
    """

    points: Array
    faces: Array
    normals: Array
    uv: Array
    extent: tuple[float, float] = (60.0, 60.0)
    wraps: bool = False

    def move(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        return replace(self, points=self.points + np.array([x, y, z]))

    def turn(self, axis: str, degrees: float) -> Mesh:
        """The mesh turned about an axis ("x", "y", "z") through the origin, counter-clockwise."""
        matrix = rotation(axis, degrees)
        return replace(self, points=self.points @ matrix.T, normals=self.normals @ matrix.T)

    def stretch(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Mesh:
        """The mesh scaled along its axes; normals follow by the inverse transpose."""
        factors = np.array([x, y, z])
        normals = self.normals / factors
        faces = self.faces if x * y * z > 0 else self.faces[:, ::-1]
        return replace(self, points=self.points * factors, normals=unit(normals), faces=faces)


def rotation(axis: str, degrees: float) -> Array:
    """The (3, 3) matrix that turns column vectors counter-clockwise about an axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def unit(vectors: Array) -> Array:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 1e-12, length, 1.0)


def merge(meshes: list[Mesh]) -> Mesh:
    """One mesh of many, with the extent of the largest."""
    offsets = np.cumsum([0] + [len(m.points) for m in meshes[:-1]])
    largest = max(meshes, key=lambda m: m.extent[0] * m.extent[1])
    return Mesh(
        points=np.concatenate([m.points for m in meshes]),
        faces=np.concatenate([m.faces + k for m, k in zip(meshes, offsets, strict=True)]),
        normals=np.concatenate([m.normals for m in meshes]),
        uv=np.concatenate([m.uv for m in meshes]),
        extent=largest.extent,
        wraps=largest.wraps,
    )


def grid_mesh(points: Array, wrap_u: bool = False, wrap_v: bool = False) -> Mesh:
    """A smooth mesh over a (v, u, 3) grid of points; normals point along du x dv.

    A wrapped direction closes on itself; its seam gets duplicate vertices so that uv stays whole.
    """
    if wrap_u:
        points = np.concatenate([points, points[:, :1]], axis=1)
    if wrap_v:
        points = np.concatenate([points, points[:1]], axis=0)
    du = _difference(points, 1, wrap_u)
    dv = _difference(points, 0, wrap_v)
    normals = unit(np.cross(du, dv))
    for edge, beside in ((0, 1), (-1, -2)):  # a row shrunk to one point has no direction of its own
        lost = np.linalg.norm(normals[edge], axis=-1) < 0.5
        normals[edge][lost] = unit(normals[beside].mean(axis=0))
    u_steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    v_steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    u = np.concatenate([[0], np.cumsum(u_steps.max(axis=0))])
    v = np.concatenate([[0], np.cumsum(v_steps.max(axis=1))])
    rows, columns = points.shape[:2]
    uv = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    extent = (float(u[-1]), float(v[-1]))
    return Mesh(points.reshape(-1, 3), grid_faces(rows, columns), normals.reshape(-1, 3), uv, extent, wrap_u)


def grid_faces(rows: int, columns: int) -> Array:
    """Two triangles for every cell of a (rows, columns) grid of vertices, row-major."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def _difference(points: Array, axis: int, wraps: bool) -> Array:
    """Central differences along an axis; across the seam where it wraps (first row = last row)."""
    inner = np.gradient(points, axis=axis)
    if wraps:
        first = np.take(points, [1], axis) - np.take(points, [-2], axis)
        swap = np.moveaxis(inner, axis, 0)
        swap[0] = swap[-1] = np.squeeze(first, axis) / 2
    return inner
