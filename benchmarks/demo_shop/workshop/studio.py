"""The photographer: backdrop, soft light, a camera framed so that nothing is cut off, and the exposure."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mitsuba as mi
import mitsuba_oidn as oidn
import numpy as np

from .finish import Finish, Part
from .materials import material, write_mesh
from .mesh import Array, Mesh, grid_mesh, unit
from .studio_settings import BACKDROPS, Shot


def photograph(parts: list[Part], shot: Shot, size: int, samples: int, seed: int) -> Array:
    """(size, size, 3) uint8 sRGB of the product."""
    with tempfile.TemporaryDirectory() as folder:
        scene = mi.load_dict(_scene(parts, shot, size, Path(folder)))
        guides = mi.load_dict({"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"})
        colour = np.array(mi.render(scene, spp=samples, seed=seed), dtype=np.float32)[..., :3]
        layers = np.array(mi.render(scene, integrator=guides, spp=4, seed=seed + 1), dtype=np.float32)[..., -6:]
    albedo, normal = np.ascontiguousarray(np.clip(layers[..., :3], 0, 1)), np.ascontiguousarray(layers[..., 3:])
    return develop(oidn.denoise(np.ascontiguousarray(colour), albedo=albedo, normal=normal, hdr=True))


def develop(picture: Array) -> Array:
    """Linear radiance as 8-bit sRGB, highlights rolled off rather than cut."""
    knee = 0.72
    over = np.maximum(picture - knee, 0.0)
    picture = np.minimum(picture, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    srgb = np.where(picture <= 0.0031308, 12.92 * picture, 1.055 * np.maximum(picture, 1e-6) ** (1 / 2.4) - 0.055)
    return (np.clip(srgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def _scene(parts: list[Part], shot: Shot, size: int, folder: Path) -> dict[str, Any]:
    points = np.concatenate([p.mesh.points for p in parts])
    glass = any(p.finish.material == "glass" for p in parts)
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": 12 if glass else 5, "rr_depth": 4},
        "light": {"type": "envmap", "bitmap": mi.Bitmap(studio_light(shot)), "to_world": _light_turn(shot.light_turn)},
        "sensor": _camera(points, shot, size),
        "backdrop": _shape(
            Part(_backdrop(points, shot), Finish("felt", BACKDROPS[shot.backdrop])), folder / "backdrop.ply"
        ),
    }
    for k, part in enumerate(parts):
        scene[f"part{k:03d}"] = _shape(part, folder / f"{k}.ply")
    return scene


def _shape(part: Part, path: Path) -> dict[str, Any]:
    model, scale = material(part.finish, part.mesh)
    write_mesh(part, scale, path)
    shape: dict[str, Any] = {"type": "ply", "filename": str(path), "bsdf": model}
    if part.finish.glow:
        tone = np.array([1.0, 0.80, 0.55]) * part.finish.glow
        shape["emitter"] = {"type": "area", "radiance": {"type": "rgb", "value": tone.tolist()}}
    return shape


def studio_light(shot: Shot, height: int = 128) -> Array:
    """(height, 2 height, 3) float32 surroundings: a dim room, a big key softbox, a fill and a strip light.

    With `shot.window` a bright window stands behind the camera, for mirrors to show.
    """
    v, u = np.mgrid[0:height, 0 : 2 * height]
    elevation = 90 - (v + 0.5) / height * 180
    azimuth = (u + 0.5) / (2 * height) * 360 - 180

    def softbox(at: float, up: float, wide: float, tall: float) -> Array:
        edge = np.maximum(np.abs(azimuth - at) / wide, np.abs(elevation - up) / tall)
        return 1 / (1 + np.exp((edge - 1) * 14))

    room = np.where(elevation > 0, 0.20 + 0.22 * np.clip(elevation / 90, 0, 1), 0.14)[..., None] * np.array(
        [1.0, 1.0, 1.02]
    )
    key = softbox(-50, 50, 30, 22)[..., None] * np.array([4.5, 4.4, 4.2])
    fill = softbox(75, 30, 30, 26)[..., None] * np.array([0.7, 0.73, 0.78])
    strip = softbox(150, 40, 10, 30)[..., None] * 1.0
    light = (room + key + fill + strip) * shot.exposure
    if shot.window:
        at, level = azimuth - shot.azimuth + 4.5, elevation + shot.elevation - 2.5
        near = np.exp(-((at / 26) ** 2) - (level / 26) ** 2)[..., None]
        panes = (np.abs(at) < 6.5) & (np.abs(level) < 9) & (np.abs(at) > 1.0) & (np.abs(level) > 1.0)
        wall = np.array([0.34, 0.33, 0.31]) + 0.006 * level[..., None]
        light = light * (1 - near) + near * np.where(panes[..., None], np.array([0.86, 0.9, 0.95]), wall)
    return light.astype(np.float32)


def _light_turn(degrees: float) -> Any:
    """Mitsuba's map has y up and its centre on +z; ours has z up and its centre towards the camera (-y)."""
    t = mi.ScalarTransform4f
    return t().rotate([0, 0, 1], degrees) @ t().rotate([1, 0, 0], 90)


def _camera(points: Array, shot: Shot, size: int) -> dict[str, Any]:
    """A camera that sees every point within `fill` of the frame, the product's outline centred."""
    a, e = np.radians(shot.azimuth), np.radians(shot.elevation)
    back = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    right = unit(np.cross(np.array([0, 0, 1.0]), back))
    up = np.cross(back, right)
    target = (points.min(0) + points.max(0)) / 2
    reach = np.tan(np.radians(shot.field_of_view / 2)) * shot.fill
    distance = float(np.ptp(points, axis=0).max() * 4)
    for _ in range(12):
        local = points - target
        depth = distance - local @ back
        x, y = local @ right / depth, local @ up / depth
        target = target + (right * (x.max() + x.min()) / 2 + up * (y.max() + y.min()) / 2) * distance
        distance *= max(np.ptp(x), np.ptp(y)) / 2 / reach
    eye = target + back * distance
    return {
        "type": "perspective",
        "fov": shot.field_of_view,
        "sampler": {"type": "multijitter"},
        "to_world": mi.ScalarTransform4f().look_at(origin=eye.tolist(), target=target.tolist(), up=[0, 0, 1]),
        "film": {"type": "hdrfilm", "width": size, "height": size, "rfilter": {"type": "box"}, "pixel_format": "rgb"},
    }


def _backdrop(points: Array, shot: Shot) -> Mesh:
    """A sweep of paper: floor, a curve, a wall; or floor and a wall close behind; or a wall alone."""
    span = float(np.ptp(points, axis=0).max())
    behind = float(points[:, 1].max())
    floor = float(points[:, 2].min()) if shot.floor else float(points[:, 2].min()) - span * 6
    wall = behind + (span * 2.2 if shot.wall is None else shot.wall)
    curve = span * 1.5 if shot.wall is None else span * 0.012
    turn = np.radians(np.linspace(0, 90, 24))
    front = behind - span * 9
    profile = [[front, floor], [wall - curve, floor]]
    profile += [[wall - curve + curve * np.sin(t), floor + curve - curve * np.cos(t)] for t in turn[1:]]
    profile += [[wall, floor + span * 9]]
    line = np.array(profile)
    middle = float(points[:, 0].mean())
    xs = np.linspace(middle - span * 10, middle + span * 10, 3)
    grid = np.stack([np.stack([np.full(len(line), x), line[:, 0], line[:, 1]], -1) for x in xs], axis=1)
    return grid_mesh(grid)
