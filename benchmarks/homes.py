"""Imports and indexes a feed in a temporary home with the shipped encoder, for the relevance benchmarks."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.store import open_current
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest


@dataclass(frozen=True)
class Shop:
    """An indexed home, open for searching."""

    catalogue: Catalogue
    engine: SearchEngine
    generation: Generation

    def find(self, text: str, mode: str, depth: int = 10) -> list[str]:
        """The ids of the first hits."""
        request = SearchRequest(text=text, mode=mode, k=depth, rerank=False, facets=False)
        return [hit.item_id for hit in self.engine.search(request).hits]


@contextmanager
def open_shop(feed: Path, images: Path, mapping: Mapping[str, str] | None = None) -> Iterator[Shop]:
    """Imports and indexes the feed; everything is gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        database = open_database(settings)
        catalogue = Catalogue(database, settings)
        import_feed(catalogue, feed, images=images, mapping=mapping)
        rebuild(settings, database)
        yield Shop(catalogue, SearchEngine(settings, database), open_current(settings)[0])
        database.close()
