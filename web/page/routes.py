"""The search page, the item page and their pictures. Everything works without scripts."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response, redirect, render_template, request, send_file
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from magpie.data.catalogue.catalogue import Item
from magpie.data.database.api_tokens import READ
from magpie.data.errors import BadInput, BadPicture, NoIndex, PictureForgotten
from magpie.search.live_index.segment import dominant_colour_of
from magpie.search.request import SearchRequest
from magpie.web.addresses import address_of, item_url, picture_url, upload_url
from magpie.web.api.answer_search import answer_search, wants_privacy
from magpie.web.api.request_bodies import uploaded_pictures
from magpie.web.api.search_requests import MAX_TEXT
from magpie.web.middleware.identity import VISIT_COOKIE
from magpie.web.page.assets import YEAR_S
from magpie.web.page.cards import card_of, field_label, outward_url, price_label, tint_label, value_label
from magpie.web.page.explanations import explain_hit
from magpie.web.page.field_values import field_values, without_own_values
from magpie.web.page.filter_relaxation import relax_filters
from magpie.web.page.layout import GRID, PHONE_GRID, is_phone
from magpie.web.page.start_page_rows import rows_for
from magpie.web.page.state import PageState
from magpie.web.page.texts import LANGUAGES, Text, language_of, script_texts, texts_for
from magpie.web.page.view import Found, PageView, narrowing_parts, view_results
from magpie.web.services import services

SIMILAR_SHOWN = 12
TYPING = "X-Magpie-Typing"
HOUR_S = 3_600

pages = Blueprint("pages", __name__)


@pages.get("/")
def search_page() -> AnyResponse:
    """The search page for the state in the address."""
    state = PageState.from_parameters(request.args)
    if any(name.startswith(("min:", "max:")) for name in request.args):
        return redirect(state.url, 303)
    return _answer(state, "search.html")


@pages.get("/results")
def results_fragment() -> AnyResponse:
    """The results alone, for the script; the header X-Magpie-Url names the address that shows them.

    While somebody types, the unfinished last word is completed: "blu" is answered, and addressed, as "blue".
    """
    state = PageState.from_parameters(request.args)
    if TYPING in request.headers and state.q and not state.exact:
        with suppress(NoIndex):
            state = state.but(q=services().engine.finish(state.q))
    return _answer(state, "results.html")


@pages.post("/")
def search_with_picture() -> AnyResponse:
    """Stores the picture of a form, and redirects to the address that searches with it."""
    return redirect(_with_upload().url, 303)


@pages.post("/results")
def results_for_picture() -> AnyResponse:
    """Stores the picture that the script sends, and answers with the results."""
    return _answer(_with_upload(), "results.html")


@pages.get("/values")
def values_page() -> AnyResponse:
    """All values of a field among this state's results, by pages, or those with a word that begins as asked."""
    state, text = PageState.from_parameters(request.args), _text()
    field, prefix = request.args.get("field", ""), request.args.get("prefix", "").strip()[:MAX_TEXT]
    start = _whole_number("start") if "start" in request.args else 0
    found = services().engine.facet_values(field, _request_for(without_own_values(state, field)), prefix)
    values = field_values(state, field, prefix, found, start, text)
    return _fresh(make_response(render_template("values.html", values=values, state=state, view=None)))


@pages.get("/why")
def why() -> AnyResponse:
    """The explanation of one hit of this state's results, as a fragment for the script."""
    state = PageState.from_parameters(request.args)
    explanation = explain_hit(services(), _request_for(state), request.args.get("item", ""), _text())
    return _fresh(make_response(render_template("explanation.html", explanation=explanation)))


@pages.get("/item")
def item_page() -> AnyResponse:
    """The page of one item, with similar items."""
    opened = services()
    item = opened.catalogue.get(request.args.get("id", ""))
    try:
        hits = opened.engine.similar(item.item_id, SIMILAR_SHOWN).hits
        tint = dominant_colour_of(opened.engine.serving.segments, item.id)
    except NoIndex:
        hits, tint = [], None
    shown = _item_view(item, _text()) | {"tint": tint_label(tint) if tint else ""}
    cards = [card_of(hit) for hit in hits]
    page = render_template("item.html", item=shown, cards=cards, state=PageState(), view=None)
    return _fresh(make_response(page))


@pages.get("/pictures")
def picture() -> Response:
    """A picture of an item, or a thumbnail; an address with the current version may be cached for good."""
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
    """The icon, at the address that browsers try without reading the page."""
    return current_app.send_static_file("magpie.svg")


@pages.get("/uploads/<name>")
def uploaded_picture(name: str) -> Response:
    """A kept picture that somebody searches with."""
    answer = Response(services().uploads.get(name).content, mimetype="image/jpeg")
    answer.cache_control.private = True
    answer.cache_control.max_age = HOUR_S
    return answer


def install_page_texts(app: Flask) -> None:
    """Gives every template the page's texts in the reader's language, and the functions that write addresses."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(address_of=address_of, item_url=item_url, upload_url=upload_url)

    @app.context_processor
    def texts() -> dict[str, Any]:
        language = language_of(request)
        return {
            "t": texts_for(language),
            "script_texts": script_texts(language),
            "language": language,
            "sees_insights": lambda: services().access.allows(READ),
            "new_visit": _new_visit,
            "languages": {name: one["language_name"] for name, one in LANGUAGES.items()},
        }


def _new_visit() -> str:
    """A signed name for a visit that has none yet, "" for one that has, and for who asks for privacy."""
    identities = services().identities
    return "" if wants_privacy(request.headers) or identities.visit() else identities.new_visit()


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
    """The answer, marked as this visitor's own, to be asked for again, and as dependent on language and cookies.

    It takes back the cookie of a visit that this server did not sign, or long ago: the script then takes a new one.
    """
    if request.cookies.get(VISIT_COOKIE) and not services().identities.visit():
        answer.delete_cookie(VISIT_COOKIE)
    answer.cache_control.private = answer.cache_control.no_cache = True
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def _search(state: PageState) -> PageView:
    opened, text = services(), _text()
    private = wants_privacy(request.headers)
    asked = _request_for(state)
    result = answer_search(opened, asked, private, is_typing=TYPING in request.headers)
    found = Found(
        result,
        liked=opened.catalogue.get(state.like) if state.like else None,
        upload=opened.uploads.get(state.picture) if state.picture else None,
        wider=() if result.confident else relax_filters(opened.engine, state, asked, narrowing_parts(result), text),
        rows=rows_for(opened, opened.identities.visit(), private, text) if state.is_start else (),
    )
    return view_results(state, found, text)


def _request_for(state: PageState) -> SearchRequest:
    """The engine's request for a state, with the visitor's session unless they ask for privacy."""
    part = services().uploads.part(state.picture, state.crop) if state.picture else None
    session_id = "" if wants_privacy(request.headers) else services().identities.visit()
    layout = PHONE_GRID if is_phone(request.headers) else GRID
    return replace(state.to_request(part), session_id=session_id, layout=layout)


def _text() -> Text:
    return texts_for(language_of(request))


def _with_upload() -> PageState:
    """The state of this form's fields, with its picture stored and searched for. Raises BadPicture."""
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
