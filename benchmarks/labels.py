"""Whether inferred attributes are right as often as `magpie catalog label` says.

python benchmarks/labels.py --eval DIR --images DIR
DIR of --eval holds partial.csv, where three items of ten have a picture only, and rich.csv, which knows their values.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

from homes import open_shop

from magpie.indexer.labelling.infer_labels import LabelRequest, label_items

FIELDS = ("colour", "gender", "type")
NUM_VALUES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    given = parser.parse_args()
    with (given.eval / "rich.csv").open(encoding="utf-8") as stream:
        truth = {row["id"]: row for row in csv.DictReader(stream)}
    with open_shop(given.eval / "partial.csv", given.images) as shop:
        catalogue = shop.catalogue
        for field in FIELDS:
            values = [value for value, _ in Counter(row[field] for row in truth.values()).most_common(NUM_VALUES)]
            for min_confidence in (0.8, 0.9):
                request = LabelRequest(field, tuple(filter(None, values)), min_confidence)
                report = label_items(catalogue.settings, catalogue.database, request)
                labelled = [item for batch in catalogue.scan() for item in batch if field in item.inferred]
                right = sum(item.inferred[field].value == truth[item.item_id][field] for item in labelled)
                share = report.labelled / (report.labelled + report.unsure)
                print(f"{field}, at least {min_confidence}: {report.labelled} filled in ({share:.0%})", end="")
                print(f", precision stated {report.known['precision']}, true {right / max(1, len(labelled)):.3f}")


if __name__ == "__main__":
    main()
