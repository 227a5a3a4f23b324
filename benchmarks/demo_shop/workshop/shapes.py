"""Elementary shapes as meshes: turned profiles, swept tubes, rounded boxes, prisms, pillows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .mesh import Array, Mesh, grid_faces, grid_mesh, merge, unit

CREASE = np.cos(np.radians(38.0))  # profile corners sharper than this keep a hard edge


def spline(points: Sequence[Sequence[float]], count: int, closed: bool = False) -> Array:
    """(count, k) points on the centripetal-like Catmull-Rom curve through the given points."""
    control = np.asarray(points, float)
    if closed:
        control = np.concatenate([control[-1:], control, control[:2]])
    else:
        control = np.concatenate([2 * control[:1] - control[1:2], control, 2 * control[-1:] - control[-2:-1]])
    spans = len(control) - 3
    t = np.linspace(0, spans, count, endpoint=not closed)
    span = np.minimum(t.astype(int), spans - 1)
    f = (t - span)[:, None]
    a, b, c, d = (control[span + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def lathe(
    profile: Sequence[Sequence[float]] | Array,
    segments: int = 72,
    ripple: Callable[[Array, Array], Array] | None = None,
) -> Mesh:
    """A surface of revolution about z of (radius, height) points, outside going up.

    Corners sharper than 38 degrees stay hard. `ripple(theta, t)` multiplies the radius, t in
    [0, 1] along the profile; it smooths the corners away.
    """
    outline = np.asarray(profile, float)
    keep = np.concatenate([[True], np.linalg.norm(np.diff(outline, axis=0), axis=1) > 1e-6])
    outline = outline[keep]
    outline[:, 0] = np.maximum(outline[:, 0], 0.0)
    theta = np.linspace(0, 2 * np.pi, segments + 1) + np.pi / 2  # the seam looks away from the camera
    steps = np.linalg.norm(np.diff(outline, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    if ripple is not None:
        scale = ripple(theta[None, :-1], (along / along[-1])[:, None])
        radius = outline[:, :1] * scale
        grid = np.stack(
            [radius * np.cos(theta[:-1]), radius * np.sin(theta[:-1]), np.broadcast_to(outline[:, 1:], radius.shape)],
            axis=-1,
        )
        return grid_mesh(grid, wrap_u=True)
    rows, normals, lengths = _split_creases(outline, along)
    cos, sin = np.cos(theta), np.sin(theta)
    points = np.stack([rows[:, :1] * cos, rows[:, :1] * sin, np.repeat(rows[:, 1:], segments + 1, 1)], -1)
    normal = np.stack([normals[:, :1] * cos, normals[:, :1] * sin, np.repeat(normals[:, 1:], segments + 1, 1)], -1)
    around = 2 * np.pi * max(outline[:, 0].max(), 1e-3)
    u, v = np.meshgrid(np.linspace(0, around, segments + 1), lengths)
    faces = grid_faces(len(rows), segments + 1)
    return Mesh(
        points.reshape(-1, 3),
        faces,
        normal.reshape(-1, 3),
        np.stack([u, v], -1).reshape(-1, 2),
        (float(around), float(along[-1])),
        True,
    )


def _split_creases(outline: Array, along: Array) -> tuple[Array, Array, Array]:
    """Profile rows with their normals; a corner appears twice, once with each side's normal."""
    direction = unit(np.diff(outline, axis=0))
    side = np.stack([direction[:, 1], -direction[:, 0]], -1)
    rows, normals, lengths = [outline[0]], [side[0]], [along[0]]
    for k in range(1, len(outline) - 1):
        if np.dot(side[k - 1], side[k]) > CREASE:
            rows.append(outline[k])
            normals.append(unit(side[k - 1] + side[k]))
            lengths.append(along[k])
        else:
            rows += [outline[k], outline[k]]
            normals += [side[k - 1], side[k]]
            lengths += [along[k], along[k]]
    return np.array([*rows, outline[-1]]), np.array([*normals, side[-1]]), np.array([*lengths, along[-1]])


def tube(path: Sequence[Sequence[float]] | Array, radius: float | Array, sides: int = 14, closed: bool = False) -> Mesh:
    """A round rod along a (k, 3) path; radius is one number or one a point; open ends are rounded."""
    line = np.asarray(path, float)
    size = np.broadcast_to(np.asarray(radius, float), (len(line),)).copy()
    if closed:
        tangent = unit(np.roll(line, -1, 0) - np.roll(line, 1, 0))
    else:
        tangent = unit(np.gradient(line, axis=0))
        bend = np.radians([80, 55, 28])
        head = line[:1] - tangent[:1] * (size[0] * np.sin(bend))[:, None]
        tail = line[-1:] + tangent[-1:] * (size[-1] * np.sin(bend[::-1]))[:, None]
        line = np.concatenate([head, line, tail])
        tangent = np.concatenate([np.repeat(tangent[:1], 3, 0), tangent, np.repeat(tangent[-1:], 3, 0)])
        size = np.concatenate([size[0] * np.cos(bend), size, size[-1] * np.cos(bend[::-1])])
    across = np.array([0.0, 0.0, 1.0]) if abs(tangent[0, 2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    frames = []
    for direction in tangent:  # parallel transport keeps the rod from twisting
        across = across - direction * np.dot(across, direction)
        across = across / np.linalg.norm(across)
        frames.append(across)
    first = np.array(frames)
    second = np.cross(tangent, first)
    if closed:  # share out the twist that transport around the loop left over
        end = first[-1] - tangent[0] * np.dot(first[-1], tangent[0])
        twist = np.arctan2(np.dot(end, second[0]), np.dot(end, first[0]))
        share = -twist * np.arange(len(line))[:, None] / (len(line) - 1)
        first, second = first * np.cos(share) + second * np.sin(share), second * np.cos(share) - first * np.sin(share)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = first[:, None] * np.cos(angle)[None, :, None] + second[:, None] * np.sin(angle)[None, :, None]
    return grid_mesh(line[:, None] + ring * size[:, None, None], wrap_u=True, wrap_v=closed)


def rod(start: Sequence[float], end: Sequence[float], radius: float, end_radius: float | None = None) -> Mesh:
    """A straight round bar between two points, tapering where end_radius is given."""
    path = np.linspace(start, end, 4)
    return tube(path, np.linspace(radius, radius if end_radius is None else end_radius, 4), sides=18)


def box(width: float, depth: float, height: float, radius: float = 0.3, puff: float = 0.0) -> Mesh:
    """A box with rounded edges standing on z = 0, centred in x and y; `puff` swells its faces (upholstery)."""
    size = np.array([width, depth, height]) / 2
    radius = float(min(radius, size.min() * 0.98))
    inner = size - radius
    faces = []
    for axis in range(3):
        for sign in (-1, 1):
            faces.append(_box_face(axis, sign, size, inner, radius, puff))
    return merge(faces).move(z=height / 2)


def _box_face(axis: int, sign: int, size: Array, inner: Array, radius: float, puff: float) -> Mesh:
    """One face of a rounded box; its u runs along the longer side, so that wood grain does too."""
    other = [k for k in range(3) if k != axis]
    if size[other[0]] < size[other[1]]:
        other.reverse()
    corner = np.tan(np.radians(np.linspace(45, 0, 6)))
    inside = np.linspace(-1, 1, 13 if puff else 2)

    def ticks(k: int) -> Array:
        low = -inner[k] - radius * corner
        return np.concatenate([low, inside[1:-1] * inner[k] if puff else [], -low[::-1]])

    a, b = np.meshgrid(ticks(other[0]), ticks(other[1]))
    points = np.zeros((*a.shape, 3))
    points[..., other[0]], points[..., other[1]], points[..., axis] = a, b, sign * size[axis]
    core = np.clip(points, -inner, inner)
    normals = unit(points - core)
    points = core + normals * radius
    if puff:
        swell = np.cos(np.clip(a / size[other[0]], -1, 1) * np.pi / 2) * np.cos(
            np.clip(b / size[other[1]], -1, 1) * np.pi / 2
        )
        points[..., axis] += sign * puff * np.sqrt(np.abs(swell))
    uv = np.stack([a, b], -1) + size[other].max()
    index = grid_faces(*a.shape)
    flips = np.dot(np.cross(np.eye(3)[other[0]], np.eye(3)[other[1]]), np.eye(3)[axis]) * sign < 0
    mesh = Mesh(
        points.reshape(-1, 3),
        index[:, ::-1] if flips else index,
        normals.reshape(-1, 3),
        uv.reshape(-1, 2),
        (2 * float(size[other[0]]), 2 * float(size[other[1]])),
    )
    if puff:
        smooth = grid_mesh(points)
        mesh = Mesh(mesh.points, mesh.faces, smooth.normals * (-1 if flips else 1), mesh.uv, mesh.extent)
    return mesh


def cylinder(radius: float, height: float, bevel: float = 0.2, top_radius: float | None = None) -> Mesh:
    """A solid round block on z = 0 with softened edges."""
    top = radius if top_radius is None else top_radius
    bevel = min(bevel, radius * 0.45, top * 0.45, height * 0.45)
    turn = np.radians(np.linspace(0, 90, 4))
    low = np.stack([radius - bevel + bevel * np.sin(turn), bevel - bevel * np.cos(turn)], -1)
    high = np.stack([top - bevel + bevel * np.cos(turn), height - bevel + bevel * np.sin(turn)], -1)
    return lathe(np.concatenate([[[0, 0]], low, high, [[0, height]]]), segments=64)


def sphere(radius: float, squash: float = 1.0) -> Mesh:
    """A ball resting on z = 0; squash scales its height."""
    turn = np.radians(np.linspace(-90, 90, 33))
    return lathe(np.stack([np.cos(turn), np.sin(turn)], -1) * radius, 64).stretch(z=squash).move(z=radius * squash)


def torus(ring: float, radius: float) -> Mesh:
    """A ring lying on z = 0."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return tube(np.stack([ring * np.cos(angle), ring * np.sin(angle), 0 * angle + radius], -1), radius, 20, True)


def superellipse(width: float, height: float, power: float = 2.0, count: int = 72) -> Array:
    """(count, 2) outline, counter-clockwise; power 2 is an ellipse, 4 and more a rounded rectangle."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack(
        [width / 2 * np.sign(c) * np.abs(c) ** (2 / power), height / 2 * np.sign(s) * np.abs(s) ** (2 / power)], -1
    )


def rounded_rectangle(width: float, height: float, radius: float) -> Array:
    """(k, 2) outline of a rectangle with round corners, counter-clockwise."""
    radius = min(radius, width * 0.499, height * 0.499)
    turn = np.radians(np.linspace(0, 90, 9))
    arc = np.stack([np.cos(turn), np.sin(turn)], -1) * radius
    corners = []
    for k, (x, y) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][k]
        turned = arc @ np.array([[c, s], [-s, c]])
        corners.append(turned + np.array([x * (width / 2 - radius), y * (height / 2 - radius)]))
    return np.concatenate(corners)


def prism(outline: Array, height: float, bevel: float = 0.2) -> Mesh:
    """An outline (k, 2), star-shaped about its mean, raised from z = 0 with softened edges."""
    outline = np.asarray(outline, float)
    ring = np.concatenate([outline, outline[:1]])
    edge = np.diff(ring, axis=0)
    side = unit(np.stack([edge[:, 1], -edge[:, 0]], -1))
    before = np.roll(side, 1, 0)
    smooth = np.sum(side * before, 1) > CREASE
    points, normals = [], []
    for k in range(len(outline)):
        mean = unit(side[k] + before[k])
        points += [outline[k], outline[k]]
        normals += [mean if smooth[k] else before[k], mean if smooth[k] else side[k]]
    # each edge runs from the second copy of a corner to the first copy of the next one
    line, normal = np.roll(np.array(points), -1, 0), np.roll(np.array(normals), -1, 0)
    line, normal = np.concatenate([line, line[:1]]), np.concatenate([normal, normal[:1]])
    inset = unit(outline.mean(0) - line) * bevel
    levels = [(0.0, inset), (bevel, 0 * inset), (height - bevel, 0 * inset), (height, inset)]
    walls = np.stack([np.concatenate([line + shift, np.full((len(line), 1), z)], 1) for z, shift in levels])
    tilt = [-0.7, 0, 0, 0.7]
    wall_normals = np.stack([unit(np.concatenate([normal, np.full((len(line), 1), t)], 1)) for t in tilt])
    u = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    uv = np.stack(np.meshgrid(u, [0, bevel, height - bevel, height]), -1)
    wall = Mesh(walls.reshape(-1, 3), grid_faces(4, len(line)), wall_normals.reshape(-1, 3), uv.reshape(-1, 2))
    width, depth = np.ptp(outline, axis=0)
    caps = []
    for z, up in ((height, 1.0), (0.0, -1.0)):
        rim = outline + unit(outline.mean(0) - outline) * bevel
        flat = np.concatenate([rim, outline.mean(0)[None]])
        k = np.arange(len(rim))
        faces = np.stack([k, (k + 1) % len(rim), np.full_like(k, len(rim))], -1)
        at = np.concatenate([flat, np.full((len(flat), 1), z)], 1)
        caps.append(
            Mesh(
                at,
                faces if up > 0 else faces[:, ::-1],
                np.tile([0, 0, up], (len(flat), 1)),
                flat - flat.min(0),
                (width, depth),
            )
        )
    return merge([caps[0], caps[1], wall])


def pillow(width: float, height: float, thickness: float, pinch: float = 0.06) -> Mesh:
    """A stuffed cushion lying flat and centred in x and y, its seam at z = 0, both faces bulging."""
    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41))
    a, b = np.meshgrid(t, t)
    swell = ((1 - a**2) * (1 - b**2)) ** 0.42 * (1 - 0.12 * (a**2) * (b**2))
    x = a * width / 2 * (1 - pinch * (1 - b**2) * np.abs(a) ** 3)
    y = b * height / 2 * (1 - pinch * (1 - a**2) * np.abs(b) ** 3)
    front = grid_mesh(np.stack([x, y, swell * thickness / 2], -1))
    back = grid_mesh(np.stack([x, y, -swell * thickness / 2], -1))
    uv = np.stack([(a + 1) * width / 2, (b + 1) * height / 2], -1).reshape(-1, 2)
    return merge(
        [
            Mesh(front.points, front.faces, front.normals, uv, (width, height)),
            Mesh(back.points, back.faces[:, ::-1], -back.normals, uv, (width, height)),
        ]
    )


def knot(size: float, radius: float, p: int = 2, q: int = 3) -> Mesh:
    """A (p, q) torus knot about `size` wide, standing upright, resting on z = 0."""
    t = np.linspace(0, 2 * np.pi, 260, endpoint=False)
    r = size / 3 * (1 + 0.5 * np.cos(q * t))
    mesh = tube(np.stack([r * np.cos(p * t), size / 5 * np.sin(q * t), r * np.sin(p * t)], -1), radius, 18, True)
    return mesh.move(z=-mesh.points[:, 2].min())
