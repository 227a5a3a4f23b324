"""The page's languages: which one a visitor reads, and its texts by name."""

from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request

from magpie.web.page.texts_chinese import CHINESE
from magpie.web.page.texts_english import ENGLISH

Text = Callable[..., str]

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "zh": CHINESE}
LANGUAGE_COOKIE = "magpie_language"
# texts that the scripts use
_SCRIPT_TEXTS = (
    *("failed", "searching", "suggestions_count", "recent", "recent_clear", "recent_remove", "listening", "no_speech"),
    *(
        "noted_up",
        "noted_down",
        "noted_none",
        "loading",
        "kind_search",
        "kind_category",
        "up_to",
        "crop_changed",
        "no_camera",
    ),
)


def language_of(request: Request) -> str:
    """The language that the visitor chose, else the one of ours that their browser prefers."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES), "en") or "en"


def texts_for(language: str) -> Text:
    """A function that returns the text of a name in this language, its placeholders filled."""
    texts = LANGUAGES[language]

    def text(name: str, **values: object) -> str:
        return texts[name].format(**values) if values else texts[name]

    return text


def script_texts(language: str) -> dict[str, str]:
    """The texts that the scripts use, by name."""
    return {name: LANGUAGES[language][name] for name in _SCRIPT_TEXTS}
