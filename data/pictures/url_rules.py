"""Checks whether a picture may be fetched from a URL: only from named hosts, only at public addresses."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from magpie.data.errors import BadSetting, NotFetched

_PORTS = {"http": 80, "https": 443}
MAX_CHARS = 4_000
# global by the registry, but they embed other addresses or belong to no host
_NEVER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16")))
_IPV6_HOSTS = ipaddress.ip_network("2000::/3")


@dataclass(frozen=True)
class HostRule:
    """A host that pictures may come from; with a leading dot in the setting, every host below that name."""

    name: str
    port: int | None  # None: the scheme's own
    has_hosts_below: bool

    def covers(self, target: "Target") -> bool:
        """Whether the target lies at this host and port."""
        is_below = self.has_hosts_below and target.host.endswith(f".{self.name}")
        is_there = is_below or (not self.has_hosts_below and target.host == self.name)
        return is_there and target.port == (self.port or _PORTS[target.scheme])


@dataclass(frozen=True)
class Target:
    """The parts of a URL: the host in lower case without a final dot, the path with its query."""

    scheme: str
    host: str
    port: int
    path: str


def parse_rules(text: str) -> tuple[HostRule, ...]:
    """The hosts of a list such as `cdn.example, .pictures.example, localhost:9000`. Raises BadSetting."""
    return tuple(_parse_rule(one.strip()) for one in text.split(",") if one.strip())


def _parse_rule(text: str) -> HostRule:
    try:
        parts = urlsplit(f"//{text.removeprefix('.')}")
        name, port = _plain(parts.hostname or ""), parts.port
    except ValueError as error:
        raise BadSetting(f"MAGPIE_PICTURE_HOSTS: {text!r} is no host ({error})") from error
    if not name or "*" in name or parts.path or parts.query or parts.username is not None:
        raise BadSetting(f"MAGPIE_PICTURE_HOSTS: {text!r} is no host; write cdn.example, .cdn.example or host:8080")
    return HostRule(name, port, text.startswith("."))


def parse_address(address: str, rules: Sequence[HostRule]) -> Target:
    """The parts of a URL. Raises NotFetched for one that is not plain http(s), or whose host is not in the rules."""
    if len(address) > MAX_CHARS or any(ord(sign) <= 32 or ord(sign) == 127 for sign in address):
        raise NotFetched("is no address: too long, or with spaces or control characters in it")
    try:
        parts = urlsplit(address)
        host, port = _plain(parts.hostname or ""), parts.port
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path.encode("ascii")
    except ValueError as error:
        raise NotFetched(f"is no address ({error})") from error
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        raise NotFetched("is no plain http or https address")
    target = Target(parts.scheme, host, port or _PORTS[parts.scheme], path)
    if not any(rule.covers(target) for rule in rules):
        raise NotFetched(f"is not fetched: {host}:{target.port} is not among MAGPIE_PICTURE_HOSTS")
    return target


def is_public(address: str) -> bool:
    """Whether an IP address is global unicast: not of this machine or network, and not multicast."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # with a zone, for one: an address of this link
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found not in _IPV6_HOSTS:
            return False
    refused = any(found.version == network.version and found in network for network in _NEVER)
    return found.is_global and not found.is_multicast and not refused


def _plain(host: str) -> str:
    """The host in the form that is compared and resolved. Raises ValueError (UnicodeError) for an invalid name."""
    host = host.rstrip(".").lower()
    return host if host.isascii() else host.encode("idna").decode("ascii")
