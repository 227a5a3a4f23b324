"""The insights page's languages: which one a reader gets, and its sentences by name."""

from collections.abc import Callable

from werkzeug.wrappers import Request

from web.insights_chinese import CHINESE
from web.insights_english import ENGLISH

Text = Callable[..., str]

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}
LANGUAGE_COOKIE = "magpie_language"


def language_of(request: Request) -> str:
    """The language that the reader chose, else the one that their browser likes best of those there are."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES), "en") or "en"


def insights_texts(language: str) -> Text:
    """The function that gives a named sentence of this language, filled with what it is about."""
    texts = LANGUAGES[language]

    def text(name: str, **values: object) -> str:
        return texts[name].format(**values) if values else texts[name]

    return text
