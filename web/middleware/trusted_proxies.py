"""Takes a request's address, scheme, host and path from `X-Forwarded-…` if a proxy that the owner trusts sent it."""

import functools
import ipaddress
from collections.abc import Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from magpie.data.errors import BadSetting
from magpie.web.middleware.base_path import plain_path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BehindProxies:
    """WSGI middleware that reads `X-Forwarded-…` from these networks only, and of a list only the last entry.

    `-For`, `-Proto`, `-Host` and `-Prefix` are all that is read. A prefix that is no plain path is as good as none.
    """

    def __init__(self, application: Any, networks: Iterable[Network]) -> None:
        self._application = application
        self._believing = ProxyFix(application, x_for=1, x_proto=1, x_host=1)
        self._networks = tuple(networks)
        self._is_trusted = functools.lru_cache(maxsize=1024)(self._look_up)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not self._is_trusted(environ.get("REMOTE_ADDR", "")):
            return self._application(environ, start_response)
        prefix = plain_path(environ.get("HTTP_X_FORWARDED_PREFIX", "").rpartition(",")[2].strip())
        if prefix:
            environ["SCRIPT_NAME"] = prefix
        return self._believing(environ, start_response)

    def _look_up(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer.version == network.version and peer in network for network in self._networks)


def parse_networks(text: str) -> list[Network]:
    """The networks of a list such as `127.0.0.1, 10.0.0.0/8`. Raises BadSetting."""
    try:
        return [ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise BadSetting(f"MAGPIE_TRUSTED_PROXIES: {error}; list addresses or networks such as 10.0.0.0/8") from error
