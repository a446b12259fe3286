"""Connections of requests and urllib3 that go to permitted addresses only, and obey the deadline of their exchange."""

import http.client
import socket
import ssl
import time
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import certifi
from django.conf import settings
from requests import PreparedRequest
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from webhooks.addresses import demand_permitted, look_up
from webhooks.deadline import BoundedSocket, BoundedTLSSocket, current, within

# Receivers whose connections are kept, and how many for each: as many as threads may post to it at once.
RECEIVERS, EACH = 256, 32
# Seconds for which a pinned address is used again. Resolvers of clouds take about a thousand questions a second.
PINNED_FOR = 10.0
FOUND = "the name was found"


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 alone and takes 103 (Early Hints) for the answer; RFC 9110 has all of 1xx come before it.
        version, status, reason = super()._read_status()  # type: ignore[misc] # typeshed leaves it out
        return version, 100 if 101 < status < 200 else status, reason


class _Checked(HTTPConnection):
    """Connects to no address that it has not judged itself, so it matters little who looked up what before."""

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        exchange, host = current(), self._dns_host.strip("[]")
        exchange.connected = True
        addresses = within(exchange.left(FOUND), partial(look_up, host, self.port))
        for address in addresses:
            demand_permitted(host, address)
        for address in addresses[:-1]:
            try:
                return _connected(address, self.port)
            except OSError:
                pass
        return _connected(addresses[-1], self.port)


class _CheckedTLS(_Checked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLS


class PinningAdapter(IPFilterAdapter):  # type: ignore[misc] # it carries no type hints
    """Pins each name to one permitted address, and keeps connections per name and address.

    Where private addresses are permitted, the pin is left out, for requests-hardened knows no such choice; the
    connection judges the address in any case.
    """

    def __init__(self, scheme: str) -> None:
        #: Of host and port: until when, the Host header, and what chooses a pool of connections.
        self._pins: dict[str, tuple[float, str, Any]] = {}
        self._scheme = scheme
        super().__init__(is_https_proto=scheme == "https")

    def init_poolmanager(self, *usual: Any, **more: Any) -> None:
        if self._scheme == "https":
            more["ssl_context"] = trusting()
        self.poolmanager = PoolManager(RECEIVERS, maxsize=EACH, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}

    def cert_verify(self, *arguments: Any) -> None:
        """Nothing: the pool's own context verifies. requests would read all certificates for every new connection."""

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        if settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE:
            return super(IPFilterAdapter, self).build_connection_pool_key_attributes(request, verify, cert)
        name = urlsplit(str(request.url)).netloc.lower()
        until, host_header, key = self._pins.get(name, (0.0, "", None))
        if until < time.monotonic():
            key = within(current().left(FOUND), partial(super().build_connection_pool_key_attributes, request, verify, cert))
            self._pins[name] = time.monotonic() + PINNED_FOR, request.headers["Host"], key
        else:
            request.headers["Host"] = host_header
        return key


def trusting() -> ssl.SSLContext:
    """Trusts the authorities this system trusts (SSL_CERT_FILE names others) and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = BoundedTLSSocket
    return context


def _connected(address: str, port: int) -> socket.socket:
    connection = BoundedSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, port))
    except BaseException:
        connection.close()
        raise
    return connection
