"""Where a record came from, which limits how much it counts in what is shown to others."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

ADDRESS_BITS = {4: 32, 6: 64}  # what one line gets
BLOCK_BITS = {4: 24, 6: 48}  # what one house or provider gets


@dataclass(frozen=True)
class Origin:
    """The address of a sender and its block of addresses, both "" for what a token or an import vouches for, and
    whether the sender proved the name that the record carries. The log keeps keyed hashes of the two."""

    address: str = ""
    block: str = ""
    is_proved: bool = True


VOUCHED = Origin()


@lru_cache(maxsize=4096)
def origin_of(address: str, is_proved: bool) -> Origin:
    """The origin of what comes from this address without a token."""
    return Origin(_network(address, ADDRESS_BITS), _network(address, BLOCK_BITS), is_proved)


def _network(address: str, bits: dict[int, int]) -> str:
    """The network of so many bits; what is no address, such as a socket's name, stands for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    plain = mapped or parsed
    return str(ipaddress.ip_network((plain, bits[plain.version]), strict=False))
