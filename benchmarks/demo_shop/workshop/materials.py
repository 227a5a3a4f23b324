"""Finishes as Mitsuba materials, and meshes as files that Mitsuba reads with their texture laid on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mitsuba as mi
import numpy as np

from .colours import linear
from .finish import CLOTHS, METALS, WOODS, Finish, Part
from .mesh import Array, Mesh
from .patterns import TILE_CM, print_pattern, stone, weave, wood

METAL_TONE = {
    "brass": ((0.86, 0.62, 0.25), 0.2),
    "copper": ((0.93, 0.52, 0.36), 0.19),
    "steel": ((0.74, 0.75, 0.76), 0.2),
}
MATT = ("felt", "paper", "soil", "concrete", "terracotta", "cork", "cardboard", "seagrass")
# what one pass through a surface of coloured glass lets through
GLASS_TINT = {
    "clear": (0.985, 0.99, 0.985),
    "green": (0.42, 0.82, 0.55),
    "blue": (0.36, 0.58, 0.93),
    "sky blue": (0.70, 0.86, 0.97),
    "turquoise": (0.40, 0.84, 0.82),
    "aqua": (0.68, 0.92, 0.90),
    "orange": (0.97, 0.62, 0.26),
    "red": (0.88, 0.22, 0.2),
    "purple": (0.62, 0.38, 0.80),
    "pink": (0.97, 0.68, 0.77),
    "grey": (0.62, 0.64, 0.66),
    "yellow": (0.97, 0.86, 0.38),
    "cobalt blue": (0.22, 0.34, 0.88),
    "lilac": (0.80, 0.70, 0.92),
    "black": (0.05, 0.05, 0.06),
}
# material -> (roughness, specular, clearcoat) of Mitsuba's principled model
SHINE = {
    "ceramic": (0.22, 0.5, 0.8),
    "porcelain": (0.18, 0.5, 0.8),
    "enamel": (0.2, 0.5, 0.8),
    "stoneware": (0.62, 0.35, 0.0),
    "terracotta": (0.85, 0.2, 0.0),
    "plastic": (0.3, 0.5, 0.0),
    "marble": (0.18, 0.5, 0.4),
    "terrazzo": (0.3, 0.5, 0.2),
    "concrete": (0.85, 0.25, 0.0),
    "leather": (0.48, 0.45, 0.0),
    "wax": (0.45, 0.4, 0.0),
    "rubber": (0.55, 0.4, 0.0),
    "paper": (0.95, 0.1, 0.0),
    "leaf": (0.45, 0.4, 0.0),
    "soil": (1.0, 0.1, 0.0),
    "cork": (0.9, 0.1, 0.0),
    "painted wood": (0.42, 0.45, 0.0),
    "rattan": (0.6, 0.3, 0.0),
    "seagrass": (0.7, 0.25, 0.0),
    "cardboard": (0.9, 0.1, 0.0),
    "lacquer": (0.16, 0.5, 0.8),
    "felt": (0.95, 0.1, 0.0),
}


def texture(picture: Array) -> dict[str, Any]:
    """A Mitsuba texture of an (h, w, 3) linear RGB picture, its first row at v = 0."""
    data = np.ascontiguousarray(np.clip(picture, 0.002, 0.97), dtype=np.float32)
    return {"type": "bitmap", "bitmap": mi.Bitmap(data), "raw": True, "wrap_mode": "mirror", "filter_type": "bilinear"}


def material(finish: Finish, mesh: Mesh) -> tuple[dict[str, Any], tuple[float, float]]:
    """The Mitsuba model of a finish, and the factors that turn the mesh's centimetres into its texture's uv."""
    name = finish.material
    if name == "glass":
        return {"type": "dielectric", "int_ior": 1.5, "specular_transmittance": _rgb(GLASS_TINT[finish.colour])}, (
            1.0,
            1.0,
        )
    if name == "mirror":
        return {
            "type": "twosided",
            "bsdf": {
                "type": "roughconductor",
                "material": "none",
                "alpha": 0.02,
                "specular_reflectance": _rgb([0.9, 0.92, 0.93]),
            },
        }, (1.0, 1.0)
    if name in METALS and finish.pattern == "plain":
        return _two_sided(_metal(name)), (1.0, 1.0)
    picture, scale = _surface(finish, mesh)
    colour = _rgb(picture) if picture.ndim == 1 else texture(picture)
    if name in MATT or (name in CLOTHS and name != "velvet"):
        return _two_sided({"type": "diffuse", "reflectance": colour}), scale
    if name in CLOTHS:
        model = {
            "type": "principled",
            "base_color": colour,
            "roughness": 0.9 if name != "velvet" else 0.6,
            "specular": 0.15,
            "sheen": 0.9 if name == "velvet" else 0.3,
            "sheen_tint": 0.7,
        }
        return _two_sided(model), scale
    if name in WOODS:
        return _two_sided({"type": "principled", "base_color": colour, "roughness": 0.42, "specular": 0.4}), scale
    rough, specular, coat = SHINE[name if name not in METALS else "enamel"]
    model = {"type": "principled", "base_color": colour, "roughness": rough, "specular": specular}
    if coat:
        model |= {"clearcoat": coat, "clearcoat_gloss": 0.92}
    return _two_sided(model), scale


def _surface(finish: Finish, mesh: Mesh) -> tuple[Array, tuple[float, float]]:
    """A colour (3,) or a picture (h, w, 3), and its uv factors for one mesh."""
    tile = (1 / TILE_CM, 1 / TILE_CM)
    if finish.pattern not in ("plain", "terrazzo"):
        around, along = mesh.extent
        picture = print_pattern(finish.pattern, (finish.colour, finish.second), mesh.extent, mesh.wraps, finish.seed)
        if finish.material in CLOTHS:
            picture = _on_cloth(picture, mesh.extent, "plain")
        return picture, (1 / around, 1 / along)
    if finish.material in WOODS:
        return wood(finish.material, finish.seed % 16), tile if not mesh.wraps else (1 / 40, 1 / 40)
    if finish.pattern == "terrazzo" or finish.material == "terrazzo":
        return stone("terrazzo", finish.colour, finish.second, finish.seed % 8), (1 / 30, 1 / 30)
    if finish.material in ("marble", "concrete", "stoneware", "cork"):
        return stone(finish.material, finish.colour, finish.second, finish.seed % 8), (1 / 40, 1 / 40)
    if finish.material in CLOTHS or finish.material == "rattan":
        kind = {"wool": "knit", "rattan": "cane"}.get(finish.material, "plain")
        cloth, size = weave(kind)
        return linear(finish.colour) * cloth[..., None] if finish.material != "velvet" else linear(finish.colour), (
            1 / size,
            1 / size,
        )
    return linear(finish.colour), (1.0, 1.0)


def _on_cloth(picture: Array, extent: tuple[float, float], kind: str) -> Array:
    """A printed picture with the cloth's threads shaded in."""
    cloth, size = weave(kind)
    h, w = picture.shape[:2]
    rows = (np.arange(h) / h * extent[1] / size * 256).astype(int) % 256
    columns = (np.arange(w) / w * extent[0] / size * 256).astype(int) % 256
    return picture * cloth[rows][:, columns][..., None]


def _metal(name: str) -> dict[str, Any]:
    if name == "black iron":
        return {"type": "principled", "base_color": _rgb([0.022, 0.022, 0.024]), "roughness": 0.5, "specular": 0.5}
    tone, rough = METAL_TONE[name]
    return {"type": "principled", "base_color": _rgb(tone), "metallic": 1.0, "roughness": rough}


def _rgb(value: Any) -> dict[str, Any]:
    return {"type": "rgb", "value": [float(np.clip(x, 0.0, 0.995)) for x in value]}


def _two_sided(model: dict[str, Any]) -> dict[str, Any]:
    return {"type": "twosided", "bsdf": model}


def write_mesh(part: Part, scale: tuple[float, float], path: Path) -> None:
    """Writes the part's mesh as binary PLY with normals and texture coordinates."""
    mesh = part.mesh
    upright = part.finish.material in WOODS and mesh.wraps and mesh.extent[1] > 0.85 * mesh.extent[0]
    uv = mesh.uv[:, ::-1] if upright else mesh.uv  # grain runs along a leg, not around it
    vertices = np.concatenate([mesh.points, mesh.normals, uv * np.array(scale)], 1).astype("<f4")
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
    faces["count"], faces["index"] = 3, mesh.faces
    fields = "".join(f"property float {n}\n" for n in ("x", "y", "z", "nx", "ny", "nz", "u", "v"))
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n{fields}"
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    path.write_bytes(head.encode() + vertices.tobytes() + faces.tobytes())
