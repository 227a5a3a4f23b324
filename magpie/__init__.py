"""Magpie: a self-hosted search engine for catalogues of things with pictures, which learns from clicks.

    import magpie

    with magpie.open_home("var") as home:
        home.import_feed("shop.csv", images="photos/")
        home.rebuild()
        for hit in home.search("blue glass vase", filters={"price": {"lt": 50}}).hits:
            print(hit.position, hit.title, hit.score)

The rooms below (`magpie.data`, `magpie.indexer`, `magpie.search`, `magpie.web`) may change from release to release;
what is named here stays.
"""

from magpie.data.errors import MagpieError
from magpie.home import Home, open_home

__all__ = ["Home", "MagpieError", "open_home"]
