"""The pages for people: search, one item, and the pictures on them. All of it works without scripts."""

import re
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, send_file
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from data.catalogue import Item
from data.errors import BadInput, BadPicture, NoIndex
from web.answers import answer_search, wants_privacy
from web.bodies import uploaded_pictures
from web.page_state import PageState
from web.page_view import field_label, item_url, outward_url, price_label, value_label, view_results
from web.pictures import picture_url
from web.services import services
from web.texts import texts_for

SIMILAR_SHOWN = 12
VISIT_COOKIE = "magpie_session"
YEAR_S = 31_536_000
HOUR_S = 3_600

pages = Blueprint("pages", __name__)


@pages.get("/")
def search_page() -> AnyResponse:
    """The whole page for the state in the address."""
    state = PageState.from_parameters(request.args)
    if any(name.startswith(("min:", "max:")) for name in request.args):
        return redirect(state.url, 303)
    return _answer(state)


@pages.get("/results")
def results_fragment() -> AnyResponse:
    """The results alone, for the script; X-Magpie-Url says which address they belong to."""
    return _answer(PageState.from_parameters(request.args), is_fragment=True)


@pages.post("/")
def search_with_picture() -> AnyResponse:
    """Takes a picture from a plain form, and sends the browser to the address that searches with it."""
    return redirect(_with_upload().url, 303)


@pages.post("/results")
def results_for_picture() -> AnyResponse:
    """Takes a picture from the script, and answers at once."""
    return _answer(_with_upload(), is_fragment=True)


@pages.get("/item")
def item_page() -> AnyResponse:
    """One item with all that is known of it, and what resembles it."""
    opened = services()
    item = opened.catalogue.get(request.args.get("id", ""))
    try:
        similar = opened.engine.similar(item.item_id, SIMILAR_SHOWN)
        view = view_results(PageState(like=item.item_id), similar, item, texts_for("en"))
        cards = view.cards
    except NoIndex:
        cards = []
    return make_response(render_template("item.html", item=_item_view(item), cards=cards, state=PageState()))


@pages.get("/pictures")
def picture() -> Response:
    """A picture of an item, or a thumbnail of it; an address with the right version never changes its content."""
    number = _whole_number("n") if "n" in request.args else 1
    width = _whole_number("w") if "w" in request.args else None
    served = services().pictures.find(request.args.get("item", ""), number, width)
    answer = send_file(served.path, mimetype=served.mimetype, conditional=True, etag=served.version)
    if served.version.startswith(request.args.get("v") or "-"):
        answer.cache_control.public = True
        answer.cache_control.max_age = YEAR_S
        answer.cache_control.immutable = True
    else:
        answer.cache_control.no_cache = True
    return answer


@pages.get("/uploads/<name>")
def uploaded_picture(name: str) -> Response:
    """The picture that somebody searches by, for their own page."""
    answer = Response(services().uploads.get(name), mimetype="image/jpeg")
    answer.cache_control.private = True
    answer.cache_control.max_age = HOUR_S
    return answer


def _answer(state: PageState, is_fragment: bool = False) -> AnyResponse:
    template = "results.html" if is_fragment else "search.html"
    try:
        values = _search(state)
    except NoIndex:
        values = {"view": None, "state": state}
    answer = make_response(render_template(template, **values))
    answer.headers["X-Magpie-Url"] = state.url
    answer.cache_control.no_store = bool(state.picture)
    answer.cache_control.no_cache = True
    return answer


def _search(state: PageState) -> dict[str, Any]:
    opened = services()
    upload = opened.uploads.get(state.picture) if state.picture else None
    liked = opened.catalogue.get(state.like) if state.like else None
    is_typing = "X-Magpie-Typing" in request.headers
    asked = replace(state.to_request(upload), session_id=_visit())
    result = answer_search(opened, asked, wants_privacy(request.headers), is_typing)
    return {"view": view_results(state, result, liked, texts_for("en")), "state": state}


def _visit() -> str:
    """The random name of this visit, made by the page's script at the first click; "" before, or without scripts."""
    given = request.cookies.get(VISIT_COOKIE, "")
    return given if re.fullmatch(r"[0-9a-f]{32}", given) else ""


def _with_upload() -> PageState:
    """The state that searches with the picture in this form, beside what its other fields say."""
    uploads = uploaded_pictures(limit=1)
    if not uploads or not uploads[0]:
        raise BadPicture("No picture came with the form: choose one")
    state = PageState.from_parameters(MultiDict(request.form))
    return state.but(picture=services().uploads.put(uploads[0]), like="")


def _whole_number(name: str) -> int:
    given = request.args.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 6):
        raise BadInput(f"{name}: {given[:40]!r} is no whole number")
    return int(given)


def _item_view(item: Item) -> dict[str, Any]:
    good = [picture for picture in item.pictures if picture.status == "ok"]
    return {
        "item_id": item.item_id,
        "title": item.title or item.item_id,
        "description": item.description,
        "category": item.category,
        "price": price_label(item.price, item.currency),
        "outward": outward_url(item.url),
        "like_url": PageState(like=item.item_id).url,
        "url": item_url(item.item_id),
        "pictures": [
            (picture_url(item.item_id, picture.content_hash, number), picture.width, picture.height)
            for number, picture in enumerate(good, start=1)
        ],
        "attributes": [(field_label(name), value_label(value)) for name, value in item.attributes.items()],
        "inferred": [(field_label(name), label.value) for name, label in item.inferred.items()],
    }


def install_page_texts(app: Any) -> None:
    """Gives every template the page's texts."""
    app.jinja_env.globals["t"] = texts_for("en")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
