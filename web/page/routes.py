"""The pages for people: search, one item, and the pictures on them. All of it works without scripts."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response, redirect, render_template, request, send_file
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from magpie.data.catalogue.catalogue import Item
from magpie.data.database.api_tokens import READ
from magpie.data.errors import BadInput, BadPicture, NoIndex, PictureForgotten
from magpie.search.request import SearchRequest
from magpie.web.api.answer_search import answer_search, wants_privacy
from magpie.web.api.request_bodies import uploaded_pictures
from magpie.web.media.picture_shelf import picture_url
from magpie.web.page.assets import YEAR_S
from magpie.web.page.cards import card_of, field_label, item_url, outward_url, price_label, tint_label, value_label
from magpie.web.page.explanations import reasons_for
from magpie.web.page.filter_relaxation import relax
from magpie.web.page.layout import GRID, PHONE_GRID, is_phone
from magpie.web.page.start_page_rows import strips_for
from magpie.web.page.state import PageState
from magpie.web.page.texts import LANGUAGES, Text, language_of, script_texts, texts_for
from magpie.web.page.view import Found, PageView, view_results
from magpie.web.services import services

SIMILAR_SHOWN = 12
VISIT_COOKIE = "magpie_session"
TYPING = "X-Magpie-Typing"
HOUR_S = 3_600

pages = Blueprint("pages", __name__)


@pages.get("/")
def search_page() -> AnyResponse:
    """The whole page for the state in the address."""
    state = PageState.from_parameters(request.args)
    if any(name.startswith(("min:", "max:")) for name in request.args):
        return redirect(state.url, 303)
    return _answer(state, "search.html")


@pages.get("/results")
def results_fragment() -> AnyResponse:
    """The results alone, for the script; X-Magpie-Url says which address they belong to.

    While somebody types, that is the address of what they are about to type: of "blu" there is nothing to show yet.
    """
    state = PageState.from_parameters(request.args)
    if TYPING in request.headers and state.q and not state.exact:
        with suppress(NoIndex):
            state = state.but(q=services().engine.finish(state.q))
    return _answer(state, "results.html")


@pages.post("/")
def search_with_picture() -> AnyResponse:
    """Takes a picture from a plain form, and sends the browser to the address that searches with it."""
    return redirect(_with_upload().url, 303)


@pages.post("/results")
def results_for_picture() -> AnyResponse:
    """Takes a picture from the script, and answers at once."""
    return _answer(_with_upload(), "results.html")


@pages.get("/why")
def why() -> AnyResponse:
    """Why one hit of the answer to this state is there, as a fragment for the script."""
    state = PageState.from_parameters(request.args)
    reasons = reasons_for(services(), _asked(state), request.args.get("item", ""), _text())
    return _fresh(make_response(render_template("why.html", reasons=reasons)))


@pages.get("/item")
def item_page() -> AnyResponse:
    """One item with all that is known of it, and what resembles it."""
    opened = services()
    item = opened.catalogue.get(request.args.get("id", ""))
    try:
        hits, tint = opened.engine.similar(item.item_id, SIMILAR_SHOWN).hits, opened.engine.dominant_colour_of(item)
    except NoIndex:
        hits, tint = [], None
    shown = _item_view(item, _text()) | {"tint": tint_label(tint) if tint else ""}
    cards = [card_of(hit) for hit in hits]
    return make_response(render_template("item.html", item=shown, cards=cards, state=PageState(), view=None))


@pages.get("/pictures")
def picture() -> Response:
    """A picture of an item, or a thumbnail of it; an address with the right version never changes its content."""
    number = _whole_number("n") if "n" in request.args else 1
    width = _whole_number("w") if "w" in request.args else None
    served = services().pictures.find(request.args.get("item", ""), number, width)
    answer = send_file(served.file, mimetype=served.mimetype, conditional=True, etag=served.version)
    if served.version.startswith(request.args.get("v") or "-"):
        answer.cache_control.no_cache = None
        answer.cache_control.public = True
        answer.cache_control.max_age = YEAR_S
        answer.cache_control.immutable = True
    else:
        answer.cache_control.no_cache = True
    return answer


@pages.get("/favicon.ico")
def icon() -> Response:
    """The page's icon, where browsers look for one before they have read which it is."""
    return current_app.send_static_file("magpie.svg")


@pages.get("/uploads/<name>")
def uploaded_picture(name: str) -> Response:
    """The picture that somebody searches by, for their own page."""
    answer = Response(services().uploads.get(name).content, mimetype="image/jpeg")
    answer.cache_control.private = True
    answer.cache_control.max_age = HOUR_S
    return answer


def visit_of_request() -> str:
    """The random name of this visit, made by the page's script at the first click; "" before, or without scripts."""
    given = request.cookies.get(VISIT_COOKIE, "")
    return given if re.fullmatch(r"[0-9a-f]{32}", given) else ""


def install_page_texts(app: Flask) -> None:
    """Gives every template the page's texts, in the language of whoever reads it."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def texts() -> dict[str, Any]:
        language = language_of(request)
        return {
            "t": texts_for(language),
            "script_texts": script_texts(language),
            "language": language,
            "sees_insights": lambda: services().access.allows(READ),
            "languages": {name: one["language_name"] for name, one in LANGUAGES.items()},
        }


def _answer(state: PageState, template: str) -> AnyResponse:
    try:
        view = _search(state)
    except NoIndex:
        view = None
    except PictureForgotten as error:
        if template != "search.html":
            raise PictureForgotten(_text()("picture_gone")) from error
        way_on = state.but(picture="", crop=None, weight=None).url
        page = render_template("problem.html", status=error.status, detail=_text()("picture_gone"), way_on=way_on)
        return make_response(page, error.status)
    answer = _fresh(make_response(render_template(template, view=view, state=state)))
    answer.headers["X-Magpie-Url"] = state.url
    answer.cache_control.no_store = bool(state.picture)
    return answer


def _fresh(answer: Response) -> Response:
    """The answer, which is in the reader's language and may be another one the next time."""
    answer.cache_control.no_cache = True
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def _search(state: PageState) -> PageView:
    opened, text = services(), _text()
    private = wants_privacy(request.headers)
    asked = _asked(state)
    result = answer_search(opened, asked, private, is_typing=TYPING in request.headers)
    found = Found(
        result,
        liked=opened.catalogue.get(state.like) if state.like else None,
        upload=opened.uploads.get(state.picture) if state.picture else None,
        relaxed=relax(opened.engine, state, asked, text) if state.filters and not result.confident else (),
        strips=strips_for(opened, visit_of_request(), private, text) if state.is_start else (),
    )
    return view_results(state, found, text)


def _asked(state: PageState) -> SearchRequest:
    """The engine's request for a state, by this visitor unless they ask for privacy."""
    part = services().uploads.part(state.picture, state.crop) if state.picture else None
    visit = "" if wants_privacy(request.headers) else visit_of_request()
    layout = PHONE_GRID if is_phone(request.headers) else GRID
    return replace(state.to_request(part), session_id=visit, layout=layout)


def _text() -> Text:
    return texts_for(language_of(request))


def _with_upload() -> PageState:
    """The state that searches with the picture in this form, beside what its other fields say."""
    uploads = uploaded_pictures(limit=1)
    if not uploads or not uploads[0]:
        raise BadPicture("No picture came with the form: choose one")
    state = PageState.from_parameters(MultiDict(request.form))
    return state.but(picture=services().uploads.put(uploads[0]), crop=None, like="")


def _whole_number(name: str) -> int:
    given = request.args.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 6):
        raise BadInput(f"{name}: {given[:40]!r} is no whole number")
    return int(given)


def _item_view(item: Item, text: Text) -> dict[str, Any]:
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
        "attributes": [(field_label(name, text), value_label(value, text)) for name, value in item.attributes.items()],
        "inferred": [(field_label(name, text), label.value) for name, label in item.inferred.items()],
    }
