"""Which addresses and names an upstream may have: public ones only (threat 87).

Sources: the IANA special-purpose address registries for IPv4 and IPv6, and RFC 6761, 6762 and 8375
for names. Kept here rather than taken from ``ipaddress.is_global``, whose lists differ between
Python versions; both must agree that an address is public.
"""

import ipaddress
import re

_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# All of global unicast, minus protocol assignments with Teredo, documentation, and 6to4. IPv4-mapped
# addresses, NAT64, unique local, link local and multicast ones are outside of it already.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))

_PRIVATE_SUFFIXES = (
    "localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa", "test",
    "invalid", "onion",
)  # fmt: skip
# Resolvers read these as IPv4 addresses: 2130706433, 0177.0.0.1, 0x7f.1, 127.1.
_NUMERIC_LAST_LABEL = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


def is_public_address(text: str) -> bool:
    """Whether an IP address in text form is globally reachable unicast; ``False`` for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    return (
        address.is_global
        and address.scope_id is None
        and address in _UNICAST_V6
        and not any(address in network for network in _NOT_PUBLIC_V6)
    )


def is_address(host: str) -> bool:
    """Whether a host is an IP address in its one canonical notation."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_odd_literal(host: str) -> bool:
    """Whether a lower-case host is a number that some resolvers take for an address, and others do not."""
    return not is_address(host) and _NUMERIC_LAST_LABEL.fullmatch(host) is not None


def is_public_name(host: str) -> bool:
    """Whether a lower-case host name without a final dot may be public: has a dot, no private suffix."""
    return "." in host and not any(host.endswith(f".{suffix}") for suffix in _PRIVATE_SUFFIXES)
