"""The Python interface: one home directory, opened to import, index and search without a server.

What a method needs is imported when it is called: `import magpie` takes no time and no memory to speak of.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from magpie.data.errors import NoIndex

if TYPE_CHECKING:
    from magpie.data.database.connection import Database
    from magpie.data.feeds.import_feed import ImportReport
    from magpie.data.settings import Settings
    from magpie.indexer.rebuild import RebuildReport
    from magpie.search.engine import SearchEngine
    from magpie.search.request import SearchResult

Progress = Callable[[str, int, int], None]  # what is being done, how much is done, how much there is


def open_home(path: str | Path = "var", **settings: Any) -> "Home":
    """The home directory at `path`, made where there is none. Close it, or use it in a `with` block.

    `settings` are those of docs/settings.md in small letters and without `MAGPIE_` (`model="ViT-B-32"`); they win over
    the environment. Raises MagpieError where the home or a setting cannot be used.
    """
    from magpie.data.database.connection import open_database
    from magpie.data.settings import read_settings

    read = read_settings(home=Path(path), **settings)
    return Home(read, open_database(read))


class Home:
    """A catalogue, its index, and what people did, in one folder; made by `open_home`."""

    def __init__(self, settings: "Settings", database: "Database") -> None:
        self.settings = settings
        self._database = database
        self._engine: SearchEngine | None = None

    def import_feed(
        self,
        source: str | Path,
        images: str | Path | None = None,
        mapping: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> "ImportReport":
        """Counts of the rows that were read, inserted, updated, left alone and rejected (`magpie catalog import`).

        Picture paths are relative to `images`, by default to the feed's folder; `mapping` says which column is what
        (`{"title": "product_name"}`). Raises BadFeed where the feed as a whole cannot be read.
        """
        from magpie.data.catalogue.catalogue import Catalogue
        from magpie.data.feeds.import_feed import import_feed

        tell = progress or (lambda stage, done, total: None)
        return import_feed(
            Catalogue(self._database, self.settings),
            source,
            images=Path(images) if images is not None else None,
            mapping=mapping,
            on_progress=lambda rows, done, total: tell("import", done, total),
        )

    def rebuild(
        self,
        model: str | None = None,
        pretrained: str | None = None,
        fusion: str = "auto",
        index: str = "auto",
        full: bool = False,
        accept_worse: bool = False,
        progress: Progress | None = None,
        language: str | None = None,
    ) -> "RebuildReport":
        """What was indexed and published, in figures (`magpie index rebuild`).

        Raises HomeLocked while another rebuild runs, BadSetting for an unknown model, fusion, index or language,
        ModelUnavailable where the encoder cannot be loaded, and what golden queries raise unless `accept_worse`.
        """
        from magpie.indexer.rebuild import RebuildOptions, rebuild
        from magpie.search.evaluation.golden_queries import golden_judge
        from magpie.search.ranker_training.clicked_queries import gather_clicked_queries

        return rebuild(
            self.settings,
            self._database,
            RebuildOptions(model, pretrained, fusion, index, full, language),
            progress,
            golden_judge(self.settings, self._database, accept_worse),
            partial(gather_clicked_queries, self.settings, self._database),
        )

    def search(
        self,
        text: str = "",
        *,
        image: str | Path | bytes | None = None,
        like: str | None = None,
        not_text: str = "",
        filters: Mapping[str, Any] | None = None,
        k: int = 10,
        **options: Any,
    ) -> "SearchResult":
        """The answer as `POST /api/search` gives it, as a dataclass: `hits`, `total`, `confident`, `facets`, …

        `image` is a file or its bytes, `like` an item's id, `filters` as in JSON (`{"colour": ["red"], "price":
        {"lt": 50}}`), `options` the other fields of SearchRequest (`offset`, `mode`, `sort`, `explain`, …). Changes of
        the catalogue since the rebuild are found too. Nothing is logged.
        Raises BadQuery, BadFilter, BadPicture, ItemNotFound, UnknownField, NoIndex.
        """
        from magpie.data.errors import BadQuery
        from magpie.search.request import SearchRequest
        from magpie.web.api.filter_notation import parse_filters
        from magpie.web.api.search_requests import checked

        picture = image if isinstance(image, bytes) or image is None else Path(image).read_bytes()
        wanted = parse_filters(filters or {})
        try:
            request = SearchRequest(
                text=text, picture=picture, like=like, not_text=not_text, filters=wanted, k=k, **options
            )
        except TypeError as error:
            raise BadQuery(f"{error}; SearchRequest in magpie/search/request.py lists what a search may say") from error
        return self._opened_engine().search(checked(request))

    def _opened_engine(self) -> "SearchEngine":
        if self._engine is None:
            from magpie.search.engine import SearchEngine

            self._engine = SearchEngine(self.settings, self._database)
        self._engine.refresh()
        return self._engine

    def __len__(self) -> int:
        """How many items the catalogue has."""
        from magpie.data.catalogue.catalogue import Catalogue

        return Catalogue(self._database, self.settings).count()

    @property
    def is_indexed(self) -> bool:
        """Whether there is an index to search."""
        try:
            self._opened_engine()
        except NoIndex:
            return False
        return True

    def close(self) -> None:
        """Lets go of index and database; nothing may be called afterwards."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        self._database.close()

    def __enter__(self) -> "Home":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
