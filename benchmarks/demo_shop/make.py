"""Writes the demo shop's feed (catalog.csv, faults.json), its test queries, and on request a contact sheet."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "data" / "demo"
sys.path.insert(0, str(HERE))

from workshop.catalogue import build_shop, write_feed  # noqa: E402
from workshop.contact_sheet import draw_sheet  # noqa: E402
from workshop.faults import list_faults  # noqa: E402
from workshop.queries import build_queries, write_queries  # noqa: E402
from workshop.range import SEED  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEMO, help="folder of the feed (default: data/demo)")
    parser.add_argument("--sheet", type=Path, help="also draw a contact sheet of the pictures into this JPEG")
    options = parser.parse_args()
    records, faults = build_shop()
    queries = build_queries(records, faults, SEED)
    write_feed(records, options.out / "catalog.csv")
    write_queries(queries, records, options.out)
    (options.out / "faults.json").write_text(json.dumps(faults.as_json(), indent=1) + "\n", encoding="utf-8")
    list_faults(faults, DEMO / "README.md")
    if options.sheet:
        draw_sheet(records, faults, options.out / "images", options.sheet)
    kinds = Counter(record.truth.kind for record in records)
    print(f"{len(records)} items of {len(kinds)} kinds, {len(queries)} queries")


if __name__ == "__main__":
    main()
