"""Where a webhook may go: only to an address of the public internet, written in the one usual way.

Somebody who may enter an address could otherwise make this server call its own network, where machines trust it (SSRF).
`check` is for the moment an address is saved. What a name resolves to may change a second later, so whoever connects asks
`forbidden` about the very address it connects to.
"""

import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import parse_qsl, quote, urlsplit

from django.conf import settings

from webhooks.deadline import within

LONGEST = 2000
#: Stands where something secret stood.
MASK = "•••"
#: Ports from 1024 on where no webhook receiver listens, but what obeys whoever reaches it: SQL Server, Oracle, NFS, Docker,
#: MySQL, PostgreSQL, AMQP, Redis, Cassandra, Kafka, memcached, MongoDB.
CLOSED_PORTS = frozenset({1433, 1521, 2049, 2375, 3306, 5432, 5672, 6379, 9042, 9092, 11211, 27017})
LOOPBACK, PRIVATE = "a loopback address", "a private address"
METADATA, LOCAL, RESERVED = "a metadata address of a cloud", "a link-local address", "a reserved address"
DOCUMENTS, MAPPED, NAT64 = "an address for examples", "an IPv4 address written as IPv6", "a NAT64 address"

#: The first network that holds an address says what it is. After the IANA registries of special-purpose addresses
#: (RFC 6890), and the metadata services of Amazon, Google, Azure, Alibaba and Oracle, which hand out passwords.
SPECIAL = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("169.254.169.254/32", METADATA),
        ("168.63.129.16/32", METADATA),
        ("100.100.100.200/32", METADATA),
        ("192.0.0.192/32", METADATA),
        ("fd00:ec2::254/128", METADATA),
        ("fd20:ce::254/128", METADATA),
        ("0.0.0.0/8", "an address of no machine"),
        ("10.0.0.0/8", PRIVATE),
        ("100.64.0.0/10", "an address inside a provider's network (CGNAT)"),
        ("127.0.0.0/8", LOOPBACK),
        ("169.254.0.0/16", LOCAL),
        ("172.16.0.0/12", PRIVATE),
        ("192.0.0.0/24", RESERVED),
        ("192.0.2.0/24", DOCUMENTS),
        ("192.52.193.0/24", RESERVED),
        ("192.88.99.0/24", "a 6to4 address"),
        ("192.168.0.0/16", PRIVATE),
        ("198.18.0.0/15", "an address for measurements"),
        ("198.51.100.0/24", DOCUMENTS),
        ("203.0.113.0/24", DOCUMENTS),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("240.0.0.0/4", RESERVED),
        ("::/128", "an address of no machine"),
        ("::1/128", LOOPBACK),
        ("::/96", MAPPED),
        ("::ffff:0:0/96", MAPPED),
        ("::ffff:0:0:0/96", MAPPED),
        ("64:ff9b::/96", NAT64),
        ("64:ff9b:1::/48", NAT64),
        ("2001::/32", "a Teredo address"),
        ("2001:10::/28", "an ORCHID"),
        ("2001:20::/28", "an ORCHID"),
        ("2001::/23", RESERVED),
        ("2001:db8::/32", DOCUMENTS),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", DOCUMENTS),
        ("fc00::/7", PRIVATE),
        ("fe80::/10", LOCAL),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
#: All of IPv6 that is given to anybody; the rest waits, or is for machines among themselves (5f00::/16).
_GIVEN = ip_network("2000::/3")
#: An IPv4 address in the lower half of an IPv6 one, behind any prefix (ISATAP, RFC 5214).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

_URL = re.compile(r"(https?)://(\[[^]]*\]|[^/?:[]*)(?::([^/?]*))?(?:[/?].*)?", re.IGNORECASE)
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class BadAddress(ValueError):
    """The text is a sentence that says what is wrong with the address of a webhook."""


@dataclass(frozen=True, slots=True)
class Place:
    """Host (lower case, an IPv6 address without brackets) and port of a URL."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check(url: str, seconds: float = 5.0) -> None:
    """Raise BadAddress unless a webhook may go to `url`, written as it is and resolved as it is now.

    http is taken as well as https: what travels is signed, and whether others may read it, its owner knows.
    The look-up of the name is given up after so many `seconds`.
    """
    place = place_of(url)
    if not settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE:
        if place.host == "localhost" or place.host.endswith(".localhost"):
            raise BadAddress(f"{place.host} is this machine itself.")
        if "." not in place.host and ":" not in place.host:
            raise BadAddress(f"{place.host} is a name of a private network: a public one has a dot in it.")
    try:
        found = within(seconds, lambda: look_up(place.host, place.port))
    except TimeoutError:
        raise BadAddress(f"The name {place.host} could not be looked up within {seconds:g} seconds.") from None
    for address in found:
        demand_permitted(place.host, address)


def look_up(host: str, port: int) -> list[str]:
    """The addresses a host has, at least one. Raises BadAddress."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise BadAddress(f"The name {host} could not be found.") from None


def demand_permitted(host: str, address: str) -> None:
    """Raise BadAddress when `address`, which `host` has resolved to, is forbidden."""
    if kind := forbidden(address):
        where = host if host == address else f"{host} is at {address}, which"
        raise BadAddress(f"{where} is {kind}. Webhooks go to public addresses only.")


def forbidden(address: str) -> str:
    """What an IP address is, in words, when no webhook may go there; "" when one may.

    LOADIFY_WEBHOOK_ALLOW_PRIVATE opens loopback and private ones, and nothing else. An IPv6 address that carries an IPv4
    one is forbidden, whatever it carries.
    """
    ip = ip_address(address)
    kind = next((kind for network, kind in SPECIAL if ip.version == network.version and ip in network), "")
    if not kind and isinstance(ip, IPv6Address):
        if ip not in _GIVEN:
            kind = RESERVED
        elif int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP:
            kind = MAPPED
    return "" if settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE and kind in (LOOPBACK, PRIVATE) else kind


@lru_cache(4096)
def place_of(url: str) -> Place:
    """Where a URL points. Raises BadAddress unless it is written in the one way that every reader reads alike."""
    if len(url) > LONGEST:
        raise BadAddress(f"The address has {len(url):,} characters; {LONGEST:,} are permitted.")
    if not url.isascii():
        raise BadAddress(f"“{_odd(url)}” cannot stand in an address: write a host as xn--…, and the rest with %.")
    if not all("!" <= sign <= "~" for sign in url):
        raise BadAddress("The address has a blank or a control character in it.")
    if "\\" in url or "#" in url:
        raise BadAddress(f"The address must not contain {'a backslash' if chr(92) in url else '#'}.")
    if not url.lower().startswith(("https://", "http://")):
        raise BadAddress("The address must begin with https:// or http://.")
    authority = re.split("[/?]", url.partition("://")[2])[0]
    if "@" in authority:
        raise BadAddress("The address must not contain a user name or a password.")
    if not (found := _URL.fullmatch(url)):
        raise BadAddress(f"“{authority}” is not the name of a host.")
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    return Place(scheme, _host(host), _port(port, 443 if scheme == "https" else 80))


def _odd(url: str) -> str:
    return next(sign for sign in url if not sign.isascii())


def _port(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not re.fullmatch("[1-9][0-9]{0,4}", text) or int(text) > 65_535:
        raise BadAddress(f"“{text}” is not a port.")
    if (port := int(text)) in CLOSED_PORTS or (port < 1024 and port not in (80, 443)):
        raise BadAddress(f"Port {port} belongs to another service. Webhooks go to 80, 443, or a port from 1024 on.")
    return port


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    if not text:
        raise BadAddress("The address names no host.")
    if text.endswith("."):
        raise BadAddress(f"The host “{text}” must not end in a dot.")
    if not _NAME.fullmatch(text) or len(text) > 253:
        raise BadAddress(f"“{text}” is not the name of a host.")
    # Resolvers read 127.1, 0x7f000001 and 017700000001 as IPv4 addresses, each in its own way.
    if _NUMBER.fullmatch(text.rpartition(".")[2]):
        try:
            IPv4Address(text)
        except AddressValueError:
            raise BadAddress(f"“{text}” is not an IPv4 address as it is usually written, like 8.8.4.4.") from None
    return text


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise BadAddress(f"“{text}” is not an IPv6 address.") from None
    if address.ipv4_mapped:
        # requests-hardened would go to the IPv4 address in it, and Pythons differ in how they write it.
        raise BadAddress(f"[{text}] is {MAPPED}.")
    usual = str(address)
    if "%" in text or text != usual:
        raise BadAddress(f"Write [{text}] as [{usual.partition('%')[0]}].")
    return text


def masked_url(url: str) -> str:
    """A URL as it may be read: the values of its query may be keys."""
    parts = urlsplit(url)
    query = "&".join(f"{quote(name)}={MASK}" for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query=query).geturl()
