"""The privacy page, which shows and deletes what is stored about a visitor, and the choice of language."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from magpie.data.erasure.subject_access import Action, forget_session, read_stored_data
from magpie.data.errors import BadInput
from magpie.web.addresses import search_url
from magpie.web.api.answer_search import wants_privacy
from magpie.web.middleware.identity import VISIT_COOKIE
from magpie.web.page.assets import YEAR_S
from magpie.web.page.texts import LANGUAGE_COOKIE, LANGUAGES, language_of, texts_for
from magpie.web.services import services

privacy_pages = Blueprint("privacy_pages", __name__)


@privacy_pages.post("/language")
def choose_language() -> Response:
    """Stores the chosen language in a cookie and redirects to the page where it was chosen."""
    wanted = request.form.get("to", "")
    if wanted not in LANGUAGES:
        raise BadInput(f"to: {wanted[:40]!r} is none of the page's languages: {', '.join(LANGUAGES)}")
    came_from = urlsplit(request.referrer or "")
    own = came_from.netloc == request.host and came_from.path.startswith("/") and not came_from.path.startswith("//")
    answer = redirect(came_from._replace(scheme="", netloc="").geturl() if own else search_url(), 303)
    answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure)
    return answer


@privacy_pages.get("/me")
def about_me() -> Response:
    """The page that shows what is stored about this browser's session."""
    private = wants_privacy(request.headers)
    session_id = "" if private else services().identities.visit()
    services().query_log.settle()
    stored = read_stored_data(services().database, session_id)
    titles = _titles([action.item_id for action in stored.actions])
    actions = [(_action(one), one.item_id, titles.get(one.item_id, "")) for one in stored.actions]
    page = render_template(
        "me.html", session_id=session_id, is_private=private, stored=stored, actions=actions, forgotten=None
    )
    return _unkept(make_response(page))


@privacy_pages.post("/me/forget")
def forget_me() -> Response:
    """Deletes what is stored about this browser's session, and its cookie."""
    opened = services()
    opened.home.check()
    opened.query_log.settle()
    gone = forget_session(opened.database, opened.identities.visit())
    page = render_template("me.html", session_id="", is_private=False, stored=None, actions=[], forgotten=gone)
    answer = _unkept(make_response(page))
    answer.delete_cookie(VISIT_COOKIE)
    return answer


def _unkept(answer: Response) -> Response:
    answer.cache_control.no_store = True
    return answer


def _action(action: Action) -> str:
    name = f"action_{action.action_name}"
    language = language_of(request)
    return texts_for(language)(name) if name in LANGUAGES[language] else action.action_name


def _titles(item_ids: Sequence[str]) -> dict[str, str]:
    """The titles of these items by id, without those that no longer exist."""
    catalogue = services().catalogue
    items = catalogue.get_many(list(catalogue.ids_of(item_ids).values())).values()
    return {item.item_id: item.title or item.item_id for item in items}
