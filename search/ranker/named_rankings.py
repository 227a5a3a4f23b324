"""Rankings by name: "first-stage", "current" (whatever ranker is published), and the versions under rankers/."""

from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.search.ranker.ranker_store import ranker_versions

FIRST_STAGE = "first-stage"
CURRENT = "current"
_ALIASES = {"none": FIRST_STAGE}


def check_rankings(text: str) -> tuple[str, str]:
    """The two rankings of a setting such as "first-stage current", or of versions under rankers/. Raises BadSetting."""
    names = [_ALIASES.get(name, name) for name in text.split()]
    if len(names) != 2 or names[0] == names[1]:
        raise BadSetting(
            f"--compare {text!r}: give two different ones of {FIRST_STAGE}, {CURRENT} and the versions under rankers/"
        )
    return names[0], names[1]


def compared_versions(settings: Settings) -> list[str]:
    """The versions under rankers/ that the setting `compare` names. Raises BadSetting."""
    if not settings.compare:
        return []
    return [name for name in check_rankings(settings.compare) if name not in (FIRST_STAGE, CURRENT)]


def find_rankings(settings: Settings, text: str) -> str:
    """The same two rankings with the versions' whole names; numbers do in their place. Raises BadSetting."""
    versions = ranker_versions(settings)
    short = {version.partition("-")[0].lstrip("0"): version for version in versions}
    known = {FIRST_STAGE: FIRST_STAGE, CURRENT: CURRENT} | {version: version for version in versions} | short
    names = [known.get(name.lstrip("0") if name.isdigit() else name) for name in check_rankings(text)]
    if None in names:
        there = ", ".join([FIRST_STAGE, CURRENT, *versions])
        raise BadSetting(f"--compare {text!r}: there is no such ranking. There are: {there}")
    return " ".join(check_rankings(" ".join(filter(None, names))))
