"""Parses a search request completely, so that retrieval and scoring interpret nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.errors import BadQuery, ItemNotFound, NotTogether
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.encoder.image_decoding import decode_upload
from magpie.indexer.generations.generation import Generation
from magpie.indexer.text.lexicon import load_lexicon
from magpie.indexer.vectors import unit_rows
from magpie.search.live_index.segment import Segment, find_row
from magpie.search.query.more_like_this import Example, MoreLikeThis, compare_with
from magpie.search.query.negation import Negation, negate, split_negated
from magpie.search.query.spelling import Speller
from magpie.search.request import MODES, SearchRequest

MAX_K = 1000
MAX_REACH = 10_000
MAX_TEXT = 1000
MAX_NOT = 6  # things, each of which is encoded
_REMEMBERED_QUERIES = 2_000


@dataclass(frozen=True)
class ParsedQuery:
    """What one request looks for: all that retrieval and scoring need to know of it.

    `vector` is None for a lexical search and for browsing.

    `source` is the part of the items that the vector is compared with: fused, text or image.
    `more_like_this` compares part by part where there is an example, and then decides instead of the vector.
    `negation` is what "not" takes from similarities, `not_words` are its phrases for the lexical index.
    `known_share` is the share of the text that the encoder's vocabulary knows, 1 without a text.
    `excluded_id` is the liked item itself, which is never an answer.
    """

    source: str
    vector: np.ndarray | None = None
    more_like_this: MoreLikeThis | None = None
    negation: Negation | None = None
    words: str = ""
    not_words: tuple[str, ...] = ()
    right_words: frozenset[str] = frozenset()  # words of either that are no misspelling of another
    excluded_id: int | None = None
    is_browsing: bool = False
    shows_picture: bool = False  # the vector is of an uploaded picture
    corrected: str = ""  # the query as it was understood, where a word was misspelt
    known_share: float = 1.0


@dataclass(frozen=True)
class NormalisedText:
    """The words of a request: `text` as given and `understood` with misspelt ones put right, `avoided` as given.

    `searched` and `not_searched` are what the lexical index is asked for: nothing where only vectors are compared.
    """

    text: str
    understood: str
    avoided: str
    right_words: frozenset[str]
    searched: str
    not_searched: str


@dataclass(frozen=True)
class _Wanted:
    """What to resemble: one (dim,) vector for all of it, of which part that is, and the parts of an item."""

    vector: np.ndarray
    part: str
    example: Example | None = None


def check_request(request: SearchRequest) -> None:
    """Raises BadQuery for what no index could answer."""
    if not 1 <= request.k <= MAX_K:
        raise BadQuery(f"k is {request.k}; it must be from 1 to {MAX_K}.")
    if request.offset < 0 or request.offset + request.k > MAX_REACH:
        raise NotTogether(
            f"offset + k is {request.offset + request.k}; it must be at most {MAX_REACH}, with offset from 0."
        )
    if request.mode not in MODES:
        raise BadQuery(f"There is no mode {request.mode!r}; there are: {', '.join(MODES)}.")
    for name, text in (("query", request.text), ("not", request.not_text)):
        if len(text) > MAX_TEXT:
            raise BadQuery(f"{name} has {len(text)} characters; at most {MAX_TEXT} are searched.")
    if len(split_negated(request.not_text)) > MAX_NOT:
        raise BadQuery(f"not names more than {MAX_NOT} things, with commas between them; name fewer.")
    if request.image_weight is not None and not 0 <= request.image_weight <= 1:
        raise BadQuery(f"image_weight is {request.image_weight}; it runs from 0 (words only) to 1 (picture only).")
    if request.picture is not None and request.like:
        raise NotTogether("Both a picture and an item to resemble are given; give one of them.")


class QueryParser:
    """Parses requests with the encoder that the index was built with. Safe to share among threads."""

    def __init__(
        self,
        encoder: Encoder,
        generation: Generation,
        catalogue: Catalogue,
        settings: Settings,
        decoder: PictureSandbox,
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._means = generation.means
        self._subspaces = generation.attribute_subspaces
        self._speller = make_speller(generation.phrases)
        self._catalogue = catalogue
        self._settings = settings
        self._encode_once = lru_cache(_REMEMBERED_QUERIES)(self._encode)
        self._known_share = lru_cache(_REMEMBERED_QUERIES)(encoder.known_share)

    def _encode(self, text: str) -> np.ndarray:
        vector = self._means.centre("query", self._encoder.encode_texts([text]))[0]
        vector.flags.writeable = False
        return np.asarray(vector)

    def finish(self, text: str) -> str:
        """What somebody is about to type, as far as the catalogue's words tell."""
        return self._speller.finish(text)

    def parse(self, request: SearchRequest, segments: list[Segment]) -> ParsedQuery:
        """All that the request means. Raises BadQuery, NotTogether, BadPicture, TooLarge, ItemNotFound."""
        check_request(request)
        return self._parse(request, self._normalise(request), segments)

    def _normalise(self, request: SearchRequest) -> NormalisedText:
        text, avoided = request.text.strip(), request.not_text.strip()
        known = self._speller.right_words if request.correct else self._speller.words
        is_hybrid = request.mode == "hybrid" and request.picture is None and not request.like
        words = self._speller.complete(text) if is_hybrid and request.correct else text
        is_searched = is_hybrid or request.mode == "lexical"
        return NormalisedText(
            text=text,
            understood=self._speller.correct(text) if request.correct and request.mode != "lexical" else text,
            avoided=avoided,
            right_words=known(f"{text} {avoided}"),
            searched=words if is_searched else "",
            not_searched=avoided if is_searched else "",
        )

    def _parse(self, request: SearchRequest, normalised: NormalisedText, segments: list[Segment]) -> ParsedQuery:
        text, understood = normalised.text, normalised.understood
        wanted, excluded = self._wanted(request, segments)
        if not text and wanted is None:
            return self._browse(request, normalised.avoided)
        if request.mode == "lexical" and not text:
            raise NotTogether("The lexical mode searches words, and there are none; give a query or another mode.")
        asked = ParsedQuery(
            "lexical",
            words=normalised.searched,
            not_words=tuple(split_negated(normalised.not_searched)),
            right_words=normalised.right_words,
            excluded_id=excluded,
            known_share=self._known_share(request.text) if request.text else 1.0,
        )
        if request.mode == "lexical":
            return asked
        source = request.mode if request.mode in ("text", "image") else "fused"
        vector = self._combine(understood, wanted, request.image_weight)
        liked = wanted.example if wanted and source == "fused" and request.image_weight is None else None
        return replace(
            asked,
            source=source,
            vector=vector,
            more_like_this=self._resemble(liked, understood, segments) if liked else None,
            negation=self._negate(normalised.avoided, vector),
            corrected=understood if understood != text else "",
            shows_picture=request.picture is not None,
        )

    def _browse(self, request: SearchRequest, avoided: str) -> ParsedQuery:
        if avoided:
            raise NotTogether("There is only something to avoid; say also what to look for.")
        if request.filters or request.mode == "hybrid":
            return ParsedQuery("fused", is_browsing=True)
        raise NotTogether(f"The mode {request.mode!r} needs a query, a picture or an item to resemble.")

    def _wanted(self, request: SearchRequest, segments: list[Segment]) -> tuple[_Wanted | None, int | None]:
        """The picture or item to resemble, and the item's id."""
        if request.picture is not None:
            return _Wanted(self.encode_picture(request.picture), "image"), None
        if not request.like:
            return None, None
        found = self._catalogue.ids_of([request.like])
        if request.like not in found:
            raise ItemNotFound(f"There is no item {request.like!r} to resemble.")
        place = find_row(segments, found[request.like])
        liked = place[0].vector_of(place[1], request.mode) if place else None
        if place is None or liked is None:
            raise ItemNotFound(f"Item {request.like!r} has neither words nor a picture in the index yet.")
        segment, row = place
        informativeness = float(segment.informativeness(np.array([row]))[0])
        return _Wanted(liked, request.mode, Example(segment.parts_of(row), informativeness)), found[request.like]

    def _resemble(self, liked: Example, text: str, segments: list[Segment]) -> MoreLikeThis:
        words = self.encode_text(text) if text else None

        def compose(vector: np.ndarray, part: str) -> np.ndarray:
            return vector if words is None else self._subspaces.compose(vector, text, words, part)

        return compare_with(liked, segments[0].reference_sample, compose)

    def encode_text(self, text: str) -> np.ndarray:
        """(dim,) centred unit vector of a query, read-only: the same words come again with every page and filter."""
        return self._encode_once(text)

    def encode_picture(self, data: bytes) -> np.ndarray:
        """(dim,) centred unit vector of an uploaded picture. Raises BadPicture, TooLarge, DecoderBusy."""
        given = (data, self._settings.max_picture_pixels, self._encoder.spec.preprocessing)
        pixels = self._decoder.run("the picture", decode_upload, *given)
        return self._means.centre("image", self._encoder.encode_pictures(pixels[None]))[0]

    def _combine(self, text: str, wanted: _Wanted | None, image_weight: float | None) -> np.ndarray:
        """The query vector of words, an example, or both: by default "like the example, but as the words say"."""
        if wanted is None:
            return self.encode_text(text)
        if not text:
            return wanted.vector
        words = self.encode_text(text)
        if image_weight is None:
            return self._subspaces.compose(wanted.vector, text, words, wanted.part)
        return unit_rows((image_weight * wanted.vector + (1 - image_weight) * words)[None])[0]

    def _negate(self, avoided: str, vector: np.ndarray) -> Negation | None:
        each = split_negated(self._speller.correct(avoided))
        if not each:
            return None
        return Negation(tuple(negate(one, self.encode_text(one), vector, self._subspaces) for one in each))


def make_speller(phrases: Sequence[tuple[str, int]]) -> Speller:
    """A speller that knows the catalogue's single words, and the lexicon's as right."""
    lexicon = load_lexicon()
    words = (word for entries in lexicon.entries.values() for entry in entries.values() for word in entry.words)
    return Speller({phrase: count for phrase, count in phrases if " " not in phrase}, words)
