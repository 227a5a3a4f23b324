"""Segments made of bare vectors, for tests of what only compares."""

from types import MappingProxyType
from typing import Any

import numpy as np

from magpie.indexer.encoder.dominant_colour import NO_COLOUR
from magpie.indexer.fusion.average_fusion import Fusion
from magpie.indexer.fusion.click_part import ClickPart
from magpie.indexer.fusion.halves import fuse_halves
from magpie.indexer.fusion.missing_part_imputation import plain_average
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.search.live_index.segment import Segment


def segment_of(text: np.ndarray, image: np.ndarray, text_weights: np.ndarray, fusion: Fusion | None = None) -> Segment:
    """A segment of which only the vectors are looked at: (n, dim) unit rows, zero where a part is missing."""
    absent: Any = None
    words = LexicalIndexBuilder(language="en")
    for _ in text:
        words.add({})
    dim = text.shape[1]
    fusion = fusion or plain_average(dim)
    return Segment(
        ids=np.arange(len(text)),
        parts=MappingProxyType({"text": text.astype(np.float16), "image": image.astype(np.float16)}),
        fused=fuse_halves(fusion.contributions({"text": text, "image": image}, text_weights)).astype(np.float16),
        text_weights=text_weights,
        dominant_colours=np.full((len(text), 3), NO_COLOUR, np.uint8),
        fusion=fusion,
        click_part=ClickPart.nothing(dim),
        indexes={},
        lexical=words.finish(),
        columns=absent,
        dead=np.zeros(len(text), bool),
    )
