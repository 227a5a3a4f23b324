"""Everything that an index is made from, gathered before the first item is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.catalogue.catalogue import Catalogue, CatalogueState
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encoder import Encoder, open_encoder
from magpie.indexer.fusion.learned_fusion import LearnedFusion, choose_fusion, fusion_file
from magpie.indexer.generations.input_digest import digest_inputs
from magpie.indexer.indexes.vector_index import choose_factory, empty_index
from magpie.indexer.text.languages import language_code

ClickedQueries = Mapping[str, Sequence[ClickedQuery]]  # the queries that led people to items, by item id


@dataclass(frozen=True)
class RebuildOptions:
    """The options of `index rebuild`; None means as in the settings. `full` builds and encodes everything anew."""

    model: str | None = None
    pretrained: str | None = None
    fusion: str = "auto"
    index: str = "auto"
    full: bool = False
    language: str | None = None


@dataclass(frozen=True)
class BuildInputs:
    """Everything that an index is made from. `log_read_ms` is a time before the click log was read."""

    settings: Settings
    options: RebuildOptions
    encoder: Encoder
    learned_fusion: LearnedFusion | None  # None: the weighted average
    catalogue: Catalogue
    state: CatalogueState
    clicked: ClickedQueries
    log_read_ms: int

    def open_cache(self) -> EmbeddingCache:
        """The cached vectors of this encoder; an empty cache for a full rebuild."""
        spec = self.encoder.spec
        return EmbeddingCache(self.settings.embeddings_dir, spec.fingerprint, spec.dim, self.options.full)

    def index_factory(self, num_items: int, dim: int) -> str:
        """The FAISS factory string for so many items of so many dimensions."""
        return choose_factory(self.options.index, num_items, dim)

    def options_to_repeat(self) -> dict[str, str | None]:
        """The options with which a later rebuild makes the same kind of index."""
        spec = self.encoder.spec
        named = {"model": spec.model, "pretrained": spec.pretrained}
        return {**named, "fusion": self.options.fusion, "index": self.options.index, "language": self.options.language}

    @property
    def language(self) -> str:
        """The code of the language that most texts are in, "" where it is to be guessed."""
        return self.options.language or self.settings.language or ""

    def digest(self) -> str:
        """A hash of all inputs: an index with the same hash has the same files."""
        learned = self.learned_fusion
        return digest_inputs(
            self.state.digest,
            self.encoder.spec.fingerprint,
            [(name, mean.tobytes()) for name, mean in sorted(self.encoder.prior_means.items())],
            fusion_file(self.settings, learned.kind).read_bytes() if learned else b"",
            self.options_to_repeat(),
            self.settings.clicked_share,
            self.language,
            sorted(self.clicked.items()),
        )


def gather_inputs(
    settings: Settings,
    database: Database,
    options: RebuildOptions,
    read_clicked: Callable[[], ClickedQueries] | None,
) -> BuildInputs:
    """The inputs as they are now; wrong options fail here, before anything is encoded.

    Raises BadSetting for an unknown model, fusion, index or language, ModelUnavailable where the encoder cannot be
    loaded.
    """
    model, pretrained = options.model or settings.model, options.pretrained or settings.pretrained
    encoder = open_encoder(model, pretrained, home=settings.home)
    if options.language and language_code(options.language) != options.language:
        raise BadSetting(f"--language {options.language!r} is not a code of two letters, such as de.")
    empty_index(encoder.spec.dim, choose_factory(options.index, 0, encoder.spec.dim))
    learned_fusion = choose_fusion(options.fusion, settings, encoder.spec.fingerprint)
    catalogue, log_read_ms = Catalogue(database, settings), now_ms()
    clicked = read_clicked() if read_clicked else {}
    return BuildInputs(settings, options, encoder, learned_fusion, catalogue, catalogue.state(), clicked, log_read_ms)
