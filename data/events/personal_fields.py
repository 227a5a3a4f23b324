"""Drops IP addresses and user agents from records before they are stored; a user agent only tells bot or not.

What is never stored cannot leak. All that learning needs of a user agent is whether a program sent the record.
"""

import re
from functools import lru_cache
from typing import Any

from magpie.data.errors import BadEvent

# names in small letters, without what is no letter or digit
_ADDRESSES = re.compile(
    r"ip(v[46]|addr(ess)?)?|(client|remote|user|visitor|x?real|trueclient|cfconnecting)ip|(client|remote)addr(ess)?"
    r"|remotehost|x?forwarded(for)?"
)
_AGENTS = re.compile(r"(http|browser|x)?useragent(string)?|ua(string)?")
_CRAWLERS = re.compile(r"bot\b|bot/|crawl|spider", re.IGNORECASE)
_PROGRAMS = re.compile(r"headless|scrapy|python-requests|curl/|wget/", re.IGNORECASE)
_DEEPEST = 100
_AGENT, _ADDRESS, _OTHER = "agent", "address", "other"  # what a field holds
_LONGEST_KEPT = 64  # characters of a name that is remembered: nobody may fill the memory with long ones


def without_personal_fields(record: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A copy without IP addresses and user agents at any depth, and whether a user agent was a program's.

    Raises BadEvent for what is nested too deep.
    """
    agents: list[str] = []
    cleaned = _cleaned(record, agents, 0)
    return cleaned, any(_CRAWLERS.search(agent) or _PROGRAMS.search(agent) for agent in agents)


def is_crawler(user_agent: str) -> bool:
    """Whether a request's User-Agent says that it is a crawler's.

    Only what calls itself one: libraries for HTTP and browsers without a screen search for shops and their tests, too.
    """
    return _CRAWLERS.search(user_agent) is not None


def _cleaned(value: Any, agents: list[str], depth: int) -> Any:
    if depth > _DEEPEST:
        raise BadEvent(f"is nested more than {_DEEPEST} deep")
    if isinstance(value, list):
        return [_cleaned(one, agents, depth + 1) if isinstance(one, dict | list) else one for one in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        known = str(name)
        told = _told_by(known) if len(known) <= _LONGEST_KEPT else _told_by.__wrapped__(known)
        if told == _AGENT:
            agents.append(str(inner))
        elif told == _OTHER:
            kept[name] = _cleaned(inner, agents, depth + 1) if isinstance(inner, dict | list) else inner
    return kept


@lru_cache(10_000)
def _told_by(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if _AGENTS.fullmatch(plain):
        return _AGENT
    return _ADDRESS if _ADDRESSES.fullmatch(plain) else _OTHER
