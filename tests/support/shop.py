"""A tiny shop of drawn things, for tests that search: every kind in every colour, and a few difficult items."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.indexer.rebuild import rebuild

COLOURS = {"red": "#d22", "green": "#2a3", "blue": "#25d", "yellow": "#ec2", "black": "#111", "orange": "#f82"}
KINDS = ("ball", "box", "kite", "ring", "plate")
HOSTILE_TITLE = '<script>window.bad=1</script><img src=x onerror="window.bad=1"> ball'
HOSTILE_ID = "../a b/ü?&#%25<'\">"
PLAIN_ID = "no-picture"


def draw(kind: str, colour: str, path: Path) -> Path:
    """Draws one thing on white, 96 x 120 pixels, and returns the path."""
    picture = Image.new("RGB", (96, 120), "white")
    pen = ImageDraw.Draw(picture)
    place, paint = (14, 26, 82, 94), COLOURS[colour]
    if kind == "ball":
        pen.ellipse(place, fill=paint)
    elif kind == "box":
        pen.rectangle(place, fill=paint)
    elif kind == "kite":
        pen.polygon([(48, 14), (84, 60), (48, 106), (12, 60)], fill=paint)
    elif kind == "ring":
        pen.ellipse(place, outline=paint, width=12)
    else:
        pen.ellipse((8, 44, 88, 76), fill=paint)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92)
    return path


def shop_items(folder: Path) -> Iterable[ItemDraft]:
    """31 items with pictures in `folder` (one of them with a hostile title and id), and one without."""
    for number, (kind, colour) in enumerate((kind, colour) for kind in KINDS for colour in COLOURS):
        draw(kind, colour, folder / f"{kind}-{colour}.jpg")
        yield ItemDraft(
            item_id=f"{kind}-{colour}",
            title=f"{colour.title()} {kind}",
            description=f"A {kind} to play with, painted {colour}.",
            category="Toys" if kind in ("ball", "kite") else "Household",
            price=5.0 + number,
            currency="EUR",
            url=f"https://shop.example/{kind}-{colour}",
            attributes={"colour": colour.title(), "kind": kind, "year": str(2010 + number % 6)},
            pictures=(f"{kind}-{colour}.jpg",),
        )
    draw("ball", "red", folder / "hostile.jpg")
    yield ItemDraft(item_id=HOSTILE_ID, title=HOSTILE_TITLE, url="javascript:window.bad=1", pictures=("hostile.jpg",))
    yield ItemDraft(item_id=PLAIN_ID, title="Wooden spoon", category="Household")


def build_shop(folder: Path) -> Settings:
    """The settings of a home in `folder` with the shop imported and indexed by the shipped encoder."""
    settings = Settings(home=folder / "home", rate_limit="10000 per second", rerank_limit_ms=0, trust_loopback=True)
    database = open_database(settings)
    Catalogue(database, settings).upsert(shop_items(folder / "pictures"), folder / "pictures")
    rebuild(settings, database)
    database.close()
    return settings
