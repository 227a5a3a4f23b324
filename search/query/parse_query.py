"""Parses a search request completely, so that retrieval and scoring interpret nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.errors import BadQuery, ItemNotFound, ItemNotIndexed, NotTogether
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.encoder.image_decoding import decode_upload
from magpie.indexer.generations.generation import Generation
from magpie.indexer.mix.mix import EVEN, Mix, mix_of
from magpie.indexer.text.query_words import NO_WORDS, QueryWords, analyse_query, phrase_of, spellings_of
from magpie.indexer.vectors import unit_rows
from magpie.search.live_index.segment import Segment, find_row
from magpie.search.query.autocomplete import finish_word
from magpie.search.query.more_like_this import Example, MoreLikeThis, compare_with
from magpie.search.query.negation import Negation, negate, split_negated
from magpie.search.query.query_reader import QueryReader
from magpie.search.query.reading import PLAIN, Reading
from magpie.search.query.synonyms import with_synonyms
from magpie.search.request import MODES, SearchRequest

MAX_K = 1000
MAX_REACH = 10_000
MAX_TEXT = 1000
MAX_NOT = 6  # things, each of which is encoded
_REMEMBERED_QUERIES = 2_000


@dataclass(frozen=True)
class ParsedQuery:
    """A parsed request: all that retrieval and scoring use.

    `vector` is the (dim,) unit query vector, None for a lexical search and for browsing.
    `source` names the vectors that it is compared with: "fused", "text" or "image"; "lexical" for none.
    `more_like_this` replaces that comparison by one part by part, where there is an example.
    `reading` is what the request's words mean. `words` are those that are searched, "" where only vectors are compared,
    `query_words` what the lexical index looks up for them, with the phrases that items must and must not have.
    `negation` holds the negated phrases for vectors, `not_query_words` those for the lexical index.
    `known_share` is the share of the words that the encoder's vocabulary knows, 1 without words.
    `mix` is what words, texts and pictures count: the catalogue's for a query of words, else even.
    `excluded_id` is the example's `items.id`, which is never a hit.
    """

    source: str
    vector: np.ndarray | None = None
    more_like_this: MoreLikeThis | None = None
    negation: Negation | None = None
    reading: Reading = PLAIN
    words: str = ""
    query_words: QueryWords = NO_WORDS
    not_query_words: tuple[QueryWords, ...] = ()
    excluded_id: int | None = None
    is_browsing: bool = False
    shows_picture: bool = False  # the vector comes from an uploaded picture
    known_share: float = 1.0
    mix: Mix = EVEN

    @property
    def is_picture_alone(self) -> bool:
        """Whether an uploaded picture without words is compared with fused rows."""
        return self.shows_picture and self.source == "fused" and not self.reading.words


@dataclass(frozen=True)
class _Given:
    """The given picture or item: its (dim,) vector, the part that this is of, all parts of an item and its numbers by
    field."""

    vector: np.ndarray
    part: str
    example: Example | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


def check_request(request: SearchRequest) -> None:
    """Checks the values that need no index. Raises BadQuery, NotTogether."""
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
    """Parses requests for one generation, with its encoder and phrases. Safe to share among threads."""

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
        self._mix = mix_of(generation.manifest)
        self._subspaces = generation.attribute_subspaces
        self._languages = generation.lexical.languages
        self._reader = QueryReader(generation.lexical)
        self._phrases = generation.phrases
        self._catalogue = catalogue
        self._settings = settings
        self._encode_once = lru_cache(_REMEMBERED_QUERIES)(self._encode)
        self._known_share = lru_cache(_REMEMBERED_QUERIES)(encoder.known_share)

    def _encode(self, text: str) -> np.ndarray:
        vector = self._means.centre("query", self._encoder.encode_texts([text]))[0]
        vector.flags.writeable = False
        return np.asarray(vector)

    def finish(self, text: str, segments: list[Segment]) -> str:
        """The text with its unfinished last word completed to the most frequent word of the catalogue."""
        return finish_word(self._phrases, text, self._reader.facts_of(segments).knows)

    def parse(self, request: SearchRequest, segments: list[Segment]) -> ParsedQuery:
        """The parsed request. Raises BadQuery, NotTogether, BadPicture, TooLarge, ItemNotFound, DecoderBusy."""
        check_request(request)
        given, excluded = self._given(request, segments)
        corrected = replace(request, correct=request.correct and not request.prefix)
        reading = self._reader.read(corrected, segments, given.numbers if given else {})
        avoided = request.not_text.strip()
        if avoided and request.correct:
            avoided = self._reader.spelt(avoided, segments)
        if not reading.words and given is None:
            return self._browse(request, reading, avoided)
        if request.mode == "lexical" and not reading.words:
            raise NotTogether("The lexical mode searches words, and there are none; give a query or another mode.")
        is_searched = request.mode == "lexical" or (request.mode == "hybrid" and given is None)
        words, negated = reading.words if is_searched else "", split_negated(avoided)
        lexical = ParsedQuery(
            "lexical",
            reading=reading,
            words=words,
            query_words=self._query_words(words, reading, request.prefix),
            not_query_words=tuple(analyse_query(one, self._languages) for one in negated) if is_searched else (),
            excluded_id=excluded,
            known_share=self._known_share(reading.words) if reading.words else 1.0,
        )
        if request.mode == "lexical":
            return lexical
        source = request.mode if request.mode in ("text", "image") else "fused"
        encoded = self.finish(reading.words, segments) if request.prefix else reading.words
        vector = self._combine(encoded, given, request.image_weight)
        example = given.example if given and source == "fused" and request.image_weight is None else None
        return replace(
            lexical,
            source=source,
            vector=vector,
            more_like_this=self._compare(example, reading.words, segments) if example else None,
            negation=self._negate([*negated, *reading.excluded][:MAX_NOT], vector),
            shows_picture=request.picture is not None,
            mix=self._mix if given is None else EVEN,
        )

    def _browse(self, request: SearchRequest, reading: Reading, avoided: str) -> ParsedQuery:
        if avoided.strip():
            raise NotTogether("There is only something to avoid; say also what to look for.")
        if request.filters or request.mode == "hybrid" or reading.narrows:
            words = self._query_words("", reading)
            return ParsedQuery("fused", reading=reading, query_words=words, is_browsing=True)
        raise NotTogether(f"The mode {request.mode!r} needs a query, a picture or an item to resemble.")

    def _query_words(self, words: str, reading: Reading, is_prefix: bool = False) -> QueryWords:
        phrases = [phrase for one in reading.phrases if (phrase := phrase_of(one, self._languages))]
        excluded = [phrase for one in reading.excluded if (phrase := spellings_of(one, self._languages))]
        asked = with_synonyms(analyse_query(words, self._languages, is_prefix), reading.synonyms, self._languages)
        return asked.with_phrases(phrases, excluded)

    def _given(self, request: SearchRequest, segments: list[Segment]) -> tuple[_Given | None, int | None]:
        """The picture or item that the request gives as an example, and the item's `items.id`."""
        if request.picture is not None:
            return _Given(self.encode_picture(request.picture), "image"), None
        if not request.like:
            return None, None
        found = self._catalogue.ids_of([request.like])
        if request.like not in found:
            raise ItemNotFound(f"There is no item {request.like!r} to resemble.")
        place = find_row(segments, found[request.like])
        vector = place[0].vector_of(place[1], request.mode) if place else None
        if place is None or vector is None:
            raise ItemNotIndexed(f"Item {request.like!r} has neither words nor a picture in the index yet.")
        segment, row = place
        example = Example(segment.parts_of(row), float(segment.informativeness(np.array([row]))[0]))
        numbers = {name: float(found[0]) for name, found in segment.columns.numbers(np.array([row])).items()}
        return _Given(vector, request.mode, example, numbers), found[request.like]

    def _compare(self, example: Example, text: str, segments: list[Segment]) -> MoreLikeThis:
        words = self.encode_text(text) if text else None

        def compose(vector: np.ndarray, part: str) -> np.ndarray:
            return vector if words is None else self._subspaces.compose(vector, text, words, part)

        return compare_with(example, segments[0].reference_sample, compose)

    def encode_text(self, text: str) -> np.ndarray:
        """(dim,) centred unit vector of a query, read-only and cached: every page and filter repeats the same words."""
        return self._encode_once(text)

    def encode_picture(self, data: bytes) -> np.ndarray:
        """(dim,) centred unit vector of an uploaded picture. Raises BadPicture, TooLarge, DecoderBusy."""
        given = (data, self._settings.max_picture_pixels, self._encoder.spec.preprocessing)
        pixels = self._decoder.run("the picture", decode_upload, *given)
        return self._means.centre("image", self._encoder.encode_pictures(pixels[None]))[0]

    def _combine(self, text: str, given: _Given | None, image_weight: float | None) -> np.ndarray:
        """(dim,) query vector of words, an example or both; without a weight, the example changed by the words."""
        if given is None:
            return self.encode_text(text)
        if not text:
            return given.vector
        words = self.encode_text(text)
        if image_weight is None:
            return self._subspaces.compose(given.vector, text, words, given.part)
        return unit_rows((image_weight * given.vector + (1 - image_weight) * words)[None])[0]

    def _negate(self, phrases: Sequence[str], vector: np.ndarray) -> Negation | None:
        if not phrases:
            return None
        return Negation(tuple(negate(one, self.encode_text(one), vector, self._subspaces) for one in phrases))
