"""The insights page's sentences by name, in each language."""

from collections.abc import Callable

from magpie.web.insights.texts_chinese import CHINESE
from magpie.web.insights.texts_english import ENGLISH

Text = Callable[..., str]

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


def has_text(name: str) -> bool:
    """Whether there is a sentence of this name: names may come from what an older or newer Magpie stored."""
    return name in ENGLISH


def insights_texts(language: str) -> Text:
    """The function that gives a named sentence of this language, filled with what it is about."""
    texts = LANGUAGES[language]

    def text(name: str, **values: object) -> str:
        return texts[name].format(**values) if values else texts[name]

    return text
