"""The texts of the insights page by name, in each language."""

from collections.abc import Callable

from magpie.web.insights.texts_chinese import CHINESE
from magpie.web.insights.texts_english import ENGLISH

Text = Callable[..., str]

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


def has_text(name: str) -> bool:
    """Whether there is a text of this name: an older or newer version may have stored other names."""
    return name in ENGLISH


def insights_texts(language: str) -> Text:
    """A function that returns the text of a name in this language, its placeholders filled."""
    texts = LANGUAGES[language]

    def text(name: str, **values: object) -> str:
        return texts[name].format(**values) if values else texts[name]

    return text
