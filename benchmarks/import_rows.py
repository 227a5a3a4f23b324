"""How fast a large feed without pictures is imported, and in how much memory: `python benchmarks/import_rows.py`.

Prints rows a second for the first import and for the same again, and the peak of the process's memory.
"""

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings

WORDS = ["red", "blue", "shirt", "dress", "shoe", "lamp", "chair", "oak", "silk", "cotton", "summer", "winter"]


def write_feed(path: Path, rows: int) -> None:
    """A feed of this many rows with nine columns, about 220 bytes a row."""
    rng = random.Random(0)
    with path.open("w") as stream:
        stream.write("id,title,description,price,category,colour,year,size,brand\n")
        for n in range(rows):
            title, text = " ".join(rng.choices(WORDS, k=5)), " ".join(rng.choices(WORDS, k=25))
            known = f'sku-{n},{title},"{text}, and more",{rng.randrange(10_000) / 100},c{n % 40}'
            stream.write(f"{known},{rng.choice(WORDS)},{2000 + n % 25},{rng.choice('SML')},b{n % 500}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        feed = Path(folder) / "feed.csv"
        write_feed(feed, rows)
        settings = Settings(home=Path(folder) / "home")
        catalogue = Catalogue(open_database(settings), settings)
        for name in ("first import", "the same again"):
            start = time.perf_counter()
            report = import_feed(catalogue, feed)
            seconds = time.perf_counter() - start
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name}: {report.read / seconds:,.0f} rows/s ({seconds:.1f} s), peak memory {peak_mb:,.0f} MB")
            print(f"  {report.as_dict()}", flush=True)
        size_mb = (settings.home / "magpie.db").stat().st_size / 1e6
        catalogue.database.close()
    print(f"database {size_mb:,.0f} MB")


if __name__ == "__main__":
    main()
