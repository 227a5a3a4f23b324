"""A contact sheet of the shop: two pictures of each kind, for the README and for the eye."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from .catalogue import Record
from .faults import Faults

EDGE_PX = 112
COLUMNS = 15
PER_KIND = 2


def draw_sheet(records: list[Record], faults: Faults, images: Path, target: Path, max_bytes: int = 400_000) -> None:
    """Writes a JPEG of at most `max_bytes` with the first healthy pictures of every kind, in the order of the feed."""
    without = {*faults.no_picture, *faults.wrong_picture}
    shown: Counter[str] = Counter()
    chosen: list[Path] = []
    for record in records:
        path = images / f"{record.row['id']}.jpg"
        if record.row["id"] not in without and shown[record.truth.kind] < PER_KIND and path.exists():
            shown[record.truth.kind] += 1
            chosen.append(path)
    rows = -(-len(chosen) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * EDGE_PX, rows * EDGE_PX), "white")
    for k, path in enumerate(chosen):
        with Image.open(path) as picture:
            small = picture.resize((EDGE_PX, EDGE_PX), Image.Resampling.LANCZOS)
        sheet.paste(small, (k % COLUMNS * EDGE_PX, k // COLUMNS * EDGE_PX))
    for quality in range(90, 40, -5):
        sheet.save(target, "JPEG", quality=quality, optimize=True)
        if target.stat().st_size <= max_bytes:
            return
