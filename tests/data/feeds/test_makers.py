"""Exports of shops and museums come in without a word: each maker's columns, rows of variants, hidden rows, pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from magpie.data.catalogue.items import ItemDraft
from magpie.data.feeds.profiles import profiles
from magpie.data.feeds.read_feed import FeedOptions, opened_feed
from magpie.data.feeds.row_to_draft import LeftOut, Taken

SHOPIFY = """Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Inventory Qty,Variant Price,Image Src,Image Position,Variant Image,Status
apron,Apron,<p>Washed <em>linen</em>.</p>,Hearth,Aprons,"kitchen, linen",TRUE,Colour,Moss,Length,Short,A-1,4,34.50,a.png,1,a.png,active
apron,,,,,,,,Clay,,Long,A-2,2,36.50,b.png,2,c.png,
apron,,,,,,,,,,,,,,d.png,3,,
spoon,Spoon,,Hearth,Spoons,,TRUE,Title,Default Title,,,S-1,1,9.00,s.png,1,,active
ladle,Ladle,,Hearth,Spoons,,FALSE,Title,Default Title,,,L-1,1,9.00,s.png,1,,draft
"""
SHOPIFY_NEW = """Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Product image URL,Image position,Variant image URL
Mug,mug,<p>Clay</p>,Kiln,Home > Mugs,,x,TRUE,Active,M-1,Size,Small,,5,6,m.png,1,
,mug,,,,,,,,M-2,,Large,,7,,n.png,2,
Old mug,old,,Kiln,,Mugs,,FALSE,Draft,,,,,5,,o.png,1,
"""
WOO = """ID,Type,SKU,Name,Published,"Visibility in catalog","Short description",Description,"In stock?",Stock,"Sale price","Regular price",Categories,Images,Parent,Position,"Attribute 1 name","Attribute 1 value(s)"
22,variation,cap-sand,"Cap - Sand",1,visible,,,1,5,21,26,,a.png,cap,1,Colour,Sand
21,variable,cap,Cap,1,visible,,"Canvas.\\n<b>One size.</b>",1,,,,"Clothing > Caps, Summer","a.png, b.png",,0,Colour,"Sand, Slate"
23,variation,,"Cap - Slate",1,visible,,,0,0,,26,,b.png,id:21,2,Colour,Slate
25,simple,old,Old,0,hidden,,,0,,,12,Clothing,,,0,,
"""
GOOGLE = """id\ttitle\tlink\timage_link\tadditional_image_link\tprice\tsale_price\tavailability\tproduct_type\titem_group_id\tcolor\tshipping
J1\tJug\thttps://shop.example/j\tj.png\tk.png,l.png\t14.00 EUR\t11.50 EUR\tin_stock\tHome > Jugs\tJ\tgreen\tAT:::4 EUR
S1\tBowl\thttps://shop.example/s\ts.png\t\t7.00 EUR\t\tin_stock\tHome\t\t\t
J2\tJug\thttps://shop.example/j2\tm.png\t\t15.00 EUR\t\tin_stock\tHome > Jugs\tJ\tred\t
"""
MAGENTO = """sku,store_view_code,attribute_set_code,product_type,categories,product_online,name,description,price,base_image,additional_images,visibility,qty,is_in_stock,additional_attributes,configurable_variations
R-Red,,Top,simple,"Default Category/Women/Tops",1,Shirt-Red,<p>x</p>,31.00,/t/red.png,/t/red.png,Not Visible Individually,100,1,"color=Red,material=Mesh|Nylon",
R-Blue,,Top,simple,"Default Category/Women/Tops",1,Shirt-Blue,<p>x</p>,33.00,/t/blue.png,,Not Visible Individually,80,1,color=Blue,
R,,Top,configurable,"Default Category/Women/Tops,Default Category/New",1,Shirt,<p>Light</p>,,/t/red.png,"/t/red.png,/t/back.png","Catalog, Search",0,1,"climate=Mild, cool","sku=R-Red,color=Red|sku=R-Blue,color=Blue"
R,german,,,,,Hemd,,,,,,,,,
X,,Gear,simple,"Default Category/Gear",2,Old,,9.00,/t/old.png,,"Catalog, Search",0,0,,
"""
PRESTA = """Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Image URLs (x,y,z...);Feature(Name:Value:Position);Manufacturer
31;1;Bag;Home,Bags;48.5;a.png,b.png;Material:Canvas:1,Colour:Olive:2;Field
33;0;Old Bag;Home;10;;;
"""
BIGCOMMERCE = """Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Price,Sale Price,Product Description,Category,Product Image ID - 1,Product Image File - 1,Product Image File - 2,Product Visible?
Product,41,Stool,P,GS,Ferrum,59.00,0.00,<p>Steel</p>,Garden/Stools;Sale,5,a.png,b.png,Y
  SKU,42,[RB]Colour=Pine,,GS-P,,,,,,,,,
  SKU,43,"[RB]Colour=Coal,[S]Size=L",,GS-C,,,,,,,,,
Product,45,Grill,P,OG,Ferrum,80.00,,,Garden,7,,,N
"""
BIGCOMMERCE_3 = """Item,ID,Name,Type,SKU,Options,Price,Sale Price,Categories,Description,Is Visible,Internal Image URL (Export)
Product,1,Lamp,physical,L,,20,,Light/Lamps,Bright,TRUE,
Variant,2,,,L-R,Type=Swatch|Name=Colour|Value=Red,22,,,,,
Image,3,,,,,,,,,,https://cdn.example/l.jpg
Product,4,Gone,physical,G,,20,,Light,,FALSE,
"""
SQUARESPACE = """Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Price,Sale Price,On Sale,Stock,Categories,Tags,Visible,Hosted Image URLs
5f,v1,PHYSICAL,shop,cup,Cup,<p>Tin</p>,C-1,Colour,Red,12.00,9.00,No,3,"/cups, /tin",a,Yes,https://img.example/a.jpg https://img.example/b.jpg
,v2,,,,,,C-2,,Blue,13.00,,No,Unlimited,,,,
5a,v3,PHYSICAL,shop,old,Old,,,,,1,,No,1,,,No,
"""
ETSY = """TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES,SKU
Ring,Silver &amp; gold,25.5,USD,3,"ring,silver","silver,gold",https://i.example/1.jpg,https://i.example/2.jpg,Custom,Size,"6,7,8",
Brooch,Brass,12,USD,1,brass,brass,https://i.example/3.jpg,,,,,
"""
TATE_CSV = """id,accession_number,artist,artistRole,artistId,title,dateText,medium,year,thumbnailUrl,url
1035,A00001,"Blake, Robert",artist,38,A Figure,c.1780,Watercolour,1780,http://img.example/1.jpg,http://tate.example/1
1036,A00002,"Blake, Robert",artist,38,Two Figures,c.1781,Graphite,1781,http://img.example/2.jpg,http://tate.example/2
"""
MET_CSV = """Object Number,Is Highlight,Is Public Domain,Object ID,Department,Object Name,Title,Culture,Artist Display Name,Medium,Classification,Link Resource,Tags
08.1,False,True,1,Drawings,Print,Trees,French,A|B,Ink,Prints,http://met.example/1,Trees|Birds
08.2,True,True,2,Arms,Sword,,German,,Steel,,http://met.example/2,
"""
CLEVELAND = [{"id": 1, "accession_number": "1.1", "tombstone": "t", "share_license_status": "CC0", "title": "Vase", "creators": [{"description": "A. Potter (French, 1800-1870)", "role": "artist", "id": 3}], "type": "Ceramic", "technique": "clay", "url": "https://cma.example/1", "images": {"web": {"url": "https://img.example/web.jpg", "width": "900", "filesize": "1"}, "full": {"url": "https://img.example/full.tif", "width": "9000"}}}]  # fmt: skip
EUROPEANA = {"success": True, "items": [{"id": "/1/a", "title": ["Map of Lund"], "dcTitleLangAware": {"sv": ["Karta"]}, "edmPreview": ["https://api.example/thumb?uri=x"], "edmIsShownBy": ["https://museum.example/map.jpg"], "edmIsShownAt": ["https://museum.example/map"], "type": "IMAGE", "dataProvider": ["Lund"], "year": ["1800"]}]}  # fmt: skip
IIIF = {"@context": "http://iiif.io/api/presentation/3/context.json", "id": "https://iiif.example/m1", "type": "Manifest", "label": {"en": ["A book"], "de": ["Ein Buch"]}, "metadata": [{"label": {"en": ["Author"]}, "value": {"en": ["A. Writer"]}}], "items": [{"id": "https://iiif.example/c1", "type": "Canvas", "items": [{"id": "p", "type": "AnnotationPage", "items": [{"id": "a", "type": "Annotation", "body": {"id": "https://iiif.example/1/full/max/0/default.jpg", "type": "Image", "format": "image/jpeg"}}]}]}]}  # fmt: skip
MET_JSON = {"objectID": 45, "isHighlight": True, "primaryImage": "https://img.example/45.jpg", "primaryImageSmall": "https://img.example/s45.jpg", "additionalImages": ["https://img.example/46.jpg"], "department": "Asian Art", "objectName": "Print", "title": "Quail", "classification": "Prints", "objectURL": "https://met.example/45", "tags": [{"term": "Birds", "AAT_URL": "http://x"}]}  # fmt: skip
PRODUCTS_JSON = {"products": [{"id": 81, "title": "Jumper", "handle": "jumper", "body_html": "<p>Wool</p>", "vendor": "Quay", "product_type": "Jumpers", "tags": ["wool"], "variants": [{"id": 1, "option1": "Fog", "option2": "S", "sku": "J-1", "price": "61.00", "available": True}, {"id": 2, "option1": "Rope", "option2": "M", "sku": "J-2", "price": "58.00", "available": False}], "images": [{"id": 5, "src": "a.png"}, {"id": 6, "src": "b.png"}], "options": [{"name": "Colour", "values": ["Fog", "Rope"]}, {"name": "Size", "values": ["S", "M"]}]}]}  # fmt: skip
SCHEMA = {"@context": "https://schema.org/", "@graph": [{"@type": "Product", "@id": "#p", "name": "Kettle", "sku": "K-1", "image": ["https://img.example/k.jpg"], "description": "Boils", "brand": {"@type": "Brand", "name": "Hob"}, "offers": {"@type": "Offer", "price": "48.00", "priceCurrency": "EUR", "url": "https://shop.example/k", "availability": "https://schema.org/InStock"}}, {"@type": "Product", "@id": "#q", "name": "Pan", "sku": "K-2", "offers": [{"@type": "Offer", "price": 9, "priceCurrency": "EUR"}, {"@type": "Offer", "price": 8, "priceCurrency": "EUR"}]}]}  # fmt: skip
ABO = {"item_id": "B1", "item_name": [{"language_tag": "de_DE", "value": "Hocker"}, {"language_tag": "en_US", "value": "Stool"}], "brand": [{"language_tag": "en_US", "value": "Hill"}], "bullet_point": [{"language_tag": "en_US", "value": "Ash"}, {"language_tag": "en_US", "value": "47 cm"}], "item_weight": [{"normalized_value": {"unit": "pounds", "value": 8.5}, "unit": "pounds", "value": 8.5}], "main_image_id": "41x", "node": [{"node_id": 7, "node_name": "/Categories/Furniture/Stools"}], "domain_name": "amazon.example"}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[str, list[ItemDraft], int]]:
    """read(content, name) → (name of the profile, drafts, rows that are left out)."""

    def run(content: object, name: str, **options: object) -> tuple[str, list[ItemDraft], int]:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        with opened_feed(str(path), tmp_path, None, FeedOptions(**options)) as feed:  # type: ignore[arg-type]
            outcomes = list(feed.outcomes())
            left_out = sum(each.num_rows for each in outcomes if isinstance(each, LeftOut))
            drafts = [each.draft for each in outcomes if isinstance(each, Taken)]
            assert len(drafts) + sum(isinstance(each, LeftOut) for each in outcomes) == len(outcomes)
            return feed.plan.profile.name, drafts, left_out

    return run


def lists(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize(
    ("content", "name", "profile", "first", "num_items", "left_out"),
    [
        (SHOPIFY, "a.csv", "shopify_csv", ("Apron", 34.5, "", "Aprons", ["a.png", "b.png", "c.png", "d.png"], {"Colour": ["Moss", "Clay"], "Length": ["Short", "Long"], "tags": ["kitchen", "linen"], "vendor": "Hearth", "stock": 6}), 2, 1),
        (SHOPIFY_NEW, "a.csv", "shopify_csv", ("Mug", 5, "", "Home > Mugs", ["m.png", "n.png"], {"Size": ["Small", "Large"], "sku": ["M-1", "M-2"]}), 1, 1),
        (PRODUCTS_JSON, "a.json", "shopify_json", ("Jumper", 58, "", "Jumpers", ["a.png", "b.png"], {"Colour": ["Fog", "Rope"], "Size": ["S", "M"], "in_stock": True}), 1, 0),
        (WOO, "a.csv", "woocommerce", ("Cap", 21, "", "Clothing > Caps", ["a.png", "b.png"], {"Colour": ["Sand", "Slate"], "stock": 5, "in_stock": True}), 1, 1),
        (GOOGLE, "a.tsv", "google_merchant", ("Jug", 11.5, "EUR", "Home > Jugs", ["j.png", "k.png", "l.png", "m.png"], {"color": ["green", "red"]}), 2, 0),
        (MAGENTO, "a.csv", "magento2", ("Shirt", 31, "", "Women > Tops", ["t/red.png", "t/back.png", "t/blue.png"], {"color": ["Red", "Blue"], "material": ["Mesh", "Nylon"], "climate": "Mild, cool", "stock": 180}), 1, 1),
        (PRESTA, "a.csv", "prestashop", ("Bag", 48.5, "", "Bags", ["a.png", "b.png"], {"Material": "Canvas", "Colour": "Olive"}), 1, 1),
        (BIGCOMMERCE, "a.csv", "bigcommerce", ("Stool", 59, "", "Garden > Stools", ["a.png", "b.png"], {"Colour": ["Pine", "Coal"], "Size": "L", "brand": "Ferrum"}), 1, 1),
        (BIGCOMMERCE_3, "a.csv", "bigcommerce_v3", ("Lamp", 20, "", "Light > Lamps", ["https://cdn.example/l.jpg"], {"Colour": "Red"}), 1, 1),
        (SQUARESPACE, "a.csv", "squarespace", ("Cup", 12, "", "cups", ["https://img.example/a.jpg", "https://img.example/b.jpg"], {"Colour": ["Red", "Blue"]}), 1, 1),
        (ETSY, "a.csv", "etsy", ("Ring", 25.5, "USD", "", ["https://i.example/1.jpg", "https://i.example/2.jpg"], {"Size": ["6", "7", "8"], "materials": ["silver", "gold"]}), 2, 0),
        (ABO, "a.json", "amazon_listings", ("Stool", None, "", "Furniture > Stools", [], {"brand": "Hill", "item_weight (pounds)": 8.5}), 1, 0),
        (SCHEMA, "a.json", "schema_org", ("Kettle", 48, "EUR", "", ["https://img.example/k.jpg"], {"brand": "Hob"}), 2, 0),
        (MET_CSV, "a.csv", "met_csv", ("Trees", None, "", "Prints", [], {"Culture": "French", "Tags": ["Trees", "Birds"]}), 2, 0),
        (MET_JSON, "a.json", "met_json", ("Quail", None, "", "Prints", ["https://img.example/45.jpg", "https://img.example/46.jpg"], {"tags": ["Birds"]}), 1, 0),
        (TATE_CSV, "a.csv", "tate", ("A Figure", None, "", "", ["http://img.example/1.jpg"], {"medium": "Watercolour", "artist": "Blake, Robert"}), 2, 0),
        (CLEVELAND, "a.json", "cleveland", ("Vase", None, "", "Ceramic", ["https://img.example/web.jpg"], {"artist": ["A. Potter (French, 1800-1870)"], "technique": "clay"}), 1, 0),
        (EUROPEANA, "a.json", "europeana", ("Map of Lund", None, "", "IMAGE", ["https://museum.example/map.jpg", "https://api.example/thumb?uri=x"], {"institution": ["Lund"]}), 1, 0),
        (IIIF, "a.json", "iiif", ("A book", None, "", "", ["https://iiif.example/1/full/max/0/default.jpg"], {"Author": "A. Writer"}), 1, 0),
    ],
)  # fmt: skip
def test_a_maker_s_export_needs_no_word(
    read: Callable[..., tuple[str, list[ItemDraft], int]],
    content: object,
    name: str,
    profile: str,
    first: tuple[str, float | None, str, str, list[str], dict[str, object]],
    num_items: int,
    left_out: int,
) -> None:
    recognised, drafts, hidden = read(content, name)
    assert (recognised, len(drafts), hidden) == (profile, num_items, left_out)
    title, price, currency, category, pictures, attributes = first
    draft = drafts[0]
    assert (draft.title, draft.price, draft.currency, draft.category) == (title, price, currency, category)
    assert list(draft.pictures) == pictures
    found = {key: value for key, value in draft.attributes.items() if key in attributes}
    assert {k: lists(v) for k, v in found.items()} == {k: lists(v) for k, v in attributes.items()}
    assert not any(str(value).lstrip().startswith(("[{", "{")) for value in draft.attributes.values())
    assert "<" not in draft.description and "&amp;" not in draft.description


def test_every_profile_has_its_feed_here() -> None:
    marks = test_a_maker_s_export_needs_no_word.pytestmark  # type: ignore[attr-defined]
    assert {case[2] for case in marks[0].args[1]} == set(profiles())


def test_variants_stay_apart_where_asked(read: Callable[..., tuple[str, list[ItemDraft], int]]) -> None:
    _, drafts, _ = read(SHOPIFY, "a.csv", keeps_variants=True)
    assert [(draft.item_id, draft.title, draft.price, draft.attributes.get("group_id")) for draft in drafts] == [
        ("A-1", "Apron", 34.5, "apron"),
        ("A-2", "Apron", 36.5, "apron"),
        ("spoon", "Spoon", 9.0, None),
    ]
    _, drafts, _ = read(GOOGLE, "b.tsv", keeps_variants=True)
    assert [(draft.item_id, draft.attributes.get("group_id")) for draft in drafts] == [
        ("J1", "J"),
        ("J2", "J"),
        ("S1", None),
    ]


def test_a_profile_can_be_turned_off_and_language_chosen(
    read: Callable[..., tuple[str, list[ItemDraft], int]],
) -> None:
    assert read(GOOGLE, "a.tsv", profile="none")[0] == "none"
    assert read(ABO, "a.json", languages=("de",))[1][0].title == "Hocker"
    assert read(IIIF, "b.json", languages=("de",))[1][0].title == "Ein Buch"


def test_map_wins_over_the_profile(read: Callable[..., tuple[str, list[ItemDraft], int]]) -> None:
    _, drafts, _ = read(SHOPIFY, "a.csv", mapping={"category": "Vendor", "maker": "Type"})
    assert (drafts[1].category, drafts[1].attributes["maker"]) == ("Hearth", "Spoons")
