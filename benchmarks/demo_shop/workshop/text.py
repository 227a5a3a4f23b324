"""Titles and descriptions, as a good shop writes them: varied, short, and true unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lexicon import COLOURS_ABROAD, MATERIALS, MATERIALS_ABROAD, PATTERN_WORDS, PATTERNS_ABROAD
from .words import words_of

LANGUAGES = ("de", "fr", "zh")


@dataclass(frozen=True)
class Facts:
    """What the words may say of an item: its true attributes, and the shade its title names."""

    kind: str
    variant: str
    material: str
    colour: str
    shade: str
    pattern: str
    style: str
    brand: str
    series: str
    height_cm: float
    width_cm: float


def _pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _noun(facts: Facts, rng: np.random.Generator, shaped: bool = True) -> str:
    """The kind's noun, with its shape where asked for and where it has one ("tall bookshelf")."""
    words = words_of(facts.kind)
    noun = _pick(rng, words.nouns)
    shape = words.shapes.get(facts.variant, "")
    if not shape or "{}" not in shape:
        return shape or noun
    if not shaped:
        return noun
    return shape.format(words.nouns[0] if facts.kind in ("wine glass", "candle") and "{} in" not in shape else noun)


def _hue(facts: Facts, shade: str) -> str:
    """The colour as words, or nothing where the material says it already."""
    return (
        ""
        if facts.material
        in (
            "oak",
            "walnut",
            "ash",
            "bamboo",
            "brass",
            "copper",
            "steel",
            "black iron",
            "rattan",
            "seagrass",
            "concrete",
        )
        else shade
    )


def _join(*words: str) -> str:
    return " ".join(w for w in words if w)


def english_title(facts: Facts, rng: np.random.Generator, shade: str, must_colour: bool = False) -> str:
    """A title that names kind and, mostly, colour, material and shape; about one in twelve names only the kind."""
    hue = shade if must_colour else _hue(facts, shade)
    if not must_colour and facts.colour != facts.shade and rng.random() < 0.15:
        hue = facts.colour if hue else ""
    material = MATERIALS[facts.material][0]
    if facts.kind in ("candle",):
        material = ""
    pattern = _pick(rng, PATTERN_WORDS[facts.pattern]) if facts.pattern in PATTERN_WORDS else ""
    noun = _noun(facts, rng, shaped=bool(rng.random() < 0.6))
    plain = _noun(facts, rng, shaped=False)
    of = _join(
        hue,
        MATERIALS[facts.material][1]
        if rng.random() < 0.4 and facts.material not in ("wax",)
        else material.replace("wooden", "wood").replace("lacquered", "lacquer"),
    )
    shapes = [
        _join(hue, pattern, material, noun),
        _join(pattern, noun, "in", of) if of else _join(pattern, noun),
        _join(facts.series, pattern, material, plain) + (f", {hue}" if hue else ""),
        _join(noun, f"“{facts.series}”" + (f", {_join(hue, pattern)}" if _join(hue, pattern) else "")),
        f"{facts.brand} {facts.series}: {_join(hue, pattern, material, plain)}",
        f"{_join(facts.style, noun)} – {_join(hue, pattern, material)}",
        _join(pattern, material, noun) + (f" in {hue}" if hue and hue != "clear" else ""),
    ]
    weights = np.array([0.3, 0.16, 0.13, 0.1, 0.08, 0.1, 0.13])
    title = shapes[int(rng.choice(len(shapes), p=weights))].strip(" –,")
    if not must_colour and rng.random() < 0.08:
        title = _pick(rng, [f"{plain} “{facts.series}”", f"{facts.brand} {plain}", plain])
    elif rng.random() < 0.1 and facts.height_cm >= 12:
        title += (
            f", {facts.height_cm:.0f} cm"
            if facts.kind not in ("rug", "plate", "tray")
            else f", {facts.width_cm:.0f} cm"
        )
    return title[0].upper() + title[1:]


def english_description(facts: Facts, rng: np.random.Generator) -> str:
    """Two sentences: what it is made of and looks like, and what it is good for."""
    words = words_of(facts.kind)
    noun, hue = _noun(facts, rng), _hue(facts, facts.shade)
    craft = _pick(rng, list(MATERIALS[facts.material][2]))
    pattern = _pick(rng, PATTERN_WORDS[facts.pattern]) if facts.pattern in PATTERN_WORDS else ""
    of = MATERIALS[facts.material][1]
    article = "An" if _join(pattern, noun).startswith(("a", "e", "i", "o", "u", "hourglass")) else "A"
    several = noun.endswith(("blocks", "rings")) and not noun.startswith("set")
    article = "Our" if several else article
    look = _join(pattern, noun)
    glassy = _join("clear", of) if hue == "clear" else of  # one says "clear glass", not "glass in clear"
    tinted = "" if not hue else " in clear glass" if hue == "clear" else f" in {hue}"
    firsts = [
        f"{article} {look} in {_join(hue, of)}, {craft}.",
        f"{facts.series} is our {facts.style} {_noun(facts, rng, False)}: {_join(hue, pattern, of)}, {craft}.",
        f"{craft[0].upper()}{craft[1:]}: {article.lower()} {look}" + f"{tinted}.",
        f"From {facts.brand}, {article.lower()} {look} made of {glassy}{'' if hue == 'clear' else tinted}, {craft}.",
        f"{'These' if several else 'This'} {look} {'are' if several else 'is'} made of {_join(hue, of)}, {craft}.",
    ]
    second = _pick(rng, words.uses)
    if rng.random() < 0.22 and facts.kind not in ("rug", "throw", "plate", "tray"):
        second = _pick(
            rng,
            [
                f"It measures {facts.width_cm:.0f} cm across and stands {facts.height_cm:.0f} cm tall.",
                f"Height {facts.height_cm:.0f} cm, width {facts.width_cm:.0f} cm.",
            ],
        )
    return f"{_pick(rng, firsts)} {second}"


def foreign_title(facts: Facts, language: str) -> str:
    """A title in German, French or Chinese, naming kind, material, colour and pattern."""
    k = LANGUAGES.index(language)
    noun, material = words_of(facts.kind).abroad[language], MATERIALS_ABROAD[facts.material][k]
    colour = COLOURS_ABROAD[facts.colour][k] if _hue(facts, facts.shade) else ""
    pattern = PATTERNS_ABROAD[facts.pattern][k] if facts.pattern in PATTERNS_ABROAD else ""
    if language == "zh":
        return f"{colour}{pattern}{material}{noun}"
    tail = ", ".join(w for w in (colour, pattern) if w)
    return f"{noun} {'aus' if language == 'de' else 'en'} {material}" + (f", {tail}" if tail else "")


def foreign_description(facts: Facts, language: str) -> str:
    """Two plain sentences in German, French or Chinese."""
    k = LANGUAGES.index(language)
    noun, material = words_of(facts.kind).abroad[language], MATERIALS_ABROAD[facts.material][k]
    colour = COLOURS_ABROAD[facts.colour][k]
    height, width = f"{facts.height_cm:.0f}", f"{facts.width_cm:.0f}"
    if language == "de":
        return f"{noun} aus {material}, Farbe: {colour}. Höhe {height} cm, Breite {width} cm, von {facts.brand}."
    if language == "fr":
        return f"{noun} en {material}, couleur : {colour}. Hauteur {height} cm, largeur {width} cm, par {facts.brand}."
    return f"{material}制成的{noun}，{colour}。高{height}厘米，宽{width}厘米，{facts.brand}出品。"
