"""A contact sheet of the shop: one picture of each kind, for the README and for the eye."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .catalogue import Record
from .faults import Faults

EDGE_PX = 128
COLUMNS = 12


def draw_sheet(records: list[Record], faults: Faults, images: Path, target: Path, max_bytes: int = 400_000) -> None:
    """Writes a JPEG of at most `max_bytes` with the first healthy picture of every kind, in the order of the feed."""
    without = {*faults.no_picture, *faults.wrong_picture}
    first: dict[str, Path] = {}
    for record in records:
        path = images / f"{record.row['id']}.jpg"
        if record.row["id"] not in without and record.truth.kind not in first and path.exists():
            first[record.truth.kind] = path
    rows = -(-len(first) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * EDGE_PX, rows * EDGE_PX), "white")
    for k, path in enumerate(first.values()):
        with Image.open(path) as picture:
            small = picture.resize((EDGE_PX, EDGE_PX), Image.Resampling.LANCZOS)
        sheet.paste(small, (k % COLUMNS * EDGE_PX, k // COLUMNS * EDGE_PX))
    for quality in range(90, 40, -5):
        sheet.save(target, "JPEG", quality=quality, optimize=True)
        if target.stat().st_size <= max_bytes:
            return
