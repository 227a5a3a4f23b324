"""The shop's colours: base colours as customers filter by them, and the shades that titles name."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# base colour -> shade -> sRGB; the first shade bears the base colour's own name
SHADES: dict[str, dict[str, str]] = {
    "white": {"white": "#f1efe9", "ivory": "#efe6d3"},
    "black": {"black": "#1d1d1f", "charcoal black": "#262729"},
    "grey": {"grey": "#8d8f92", "light grey": "#b9bbbd", "slate grey": "#5c636b"},
    "beige": {"beige": "#d8c4a2", "sand": "#cdb48c", "oatmeal": "#d9ccb4"},
    "brown": {"brown": "#6f4628", "chestnut": "#7a3f24", "chocolate brown": "#4b2e1f"},
    "red": {"red": "#bf2026", "brick red": "#a33a2a", "crimson": "#a0182f"},
    "orange": {"orange": "#e2711d", "terracotta": "#bb6944", "apricot": "#eb9a4c"},
    "yellow": {"yellow": "#edc11f", "mustard yellow": "#cf9a1c", "lemon yellow": "#f0dc4e"},
    "green": {"green": "#2f8a4b", "olive green": "#6f7a2c", "sage green": "#93a583", "forest green": "#1f5135"},
    "turquoise": {"turquoise": "#2ba5a3", "teal": "#1b7377", "aqua": "#74c7c3"},
    "blue": {"blue": "#2a5fb0", "cobalt blue": "#1b3f9e", "navy blue": "#1c2a4f", "sky blue": "#7fb2dc"},
    "purple": {"purple": "#6c3a8e", "lilac": "#ab8fc6", "plum": "#5a2350"},
    "pink": {"pink": "#e58ca6", "blush pink": "#e7b9b4", "rose pink": "#cf5a80"},
}
DYED = tuple(SHADES)  # what glaze, paint, dye and plastic come in
# colours that belong to a material rather than to a dye
NATURAL = {
    "oak": ("brown", "natural oak"),
    "walnut": ("brown", "dark walnut"),
    "ash": ("beige", "pale ash"),
    "bamboo": ("beige", "natural bamboo"),
    "brass": ("gold", "gold"),
    "copper": ("copper", "copper"),
    "steel": ("silver", "silver"),
    "black iron": ("black", "black"),
    "rattan": ("beige", "sand"),
    "seagrass": ("beige", "sand"),
    "concrete": ("grey", "grey"),
}


def base_of(shade: str) -> str:
    """The base colour a shade belongs to; a shade that is none (gold, clear, …) is its own base."""
    for base, shades in SHADES.items():
        if shade in shades:
            return base
    return shade


def linear(shade: str) -> Array:
    """(3,) float linear RGB of a shade name or of a "#rrggbb" code."""
    code = shade if shade.startswith("#") else SHADES[base_of(shade)][shade]
    srgb = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
