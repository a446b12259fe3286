import time
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from tests.webhooks.conftest import Resolver
from tests.webhooks.receiver import Receiver
from webhooks.addresses import BadAddress, Place, check, forbidden, place_of
from webhooks.client import Client
from webhooks.deadline import BoundedSocket

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
#: What people and scanners try, and a part of the sentence that refuses it.
HOSTILE = [
    # this machine, by name
    ("http://localhost/", "this machine itself"),
    ("http://LOCALHOST:8000/", "this machine itself"),
    ("https://a.localhost/", "this machine itself"),
    ("http://localhost./", "end in a dot"),
    ("http://intranet/", "name of a private network"),
    # IPv4 in its usual form
    ("http://127.0.0.1/", "127.0.0.1 is a loopback address"),
    ("http://127.255.255.254:8080/", "a loopback address"),
    ("http://0.0.0.0/", "an address of no machine"),
    ("http://0.1.2.3/", "an address of no machine"),
    ("http://10.0.0.1/", "a private address"),
    ("http://172.16.0.1/", "a private address"),
    ("http://172.31.255.255/", "a private address"),
    ("http://192.168.1.1/", "a private address"),
    ("http://100.64.0.1/", "CGNAT"),
    ("http://100.127.255.255/", "CGNAT"),
    ("http://169.254.1.1/", "a link-local address"),
    ("http://192.0.0.1/", "a reserved address"),
    ("http://192.0.2.1/", "an address for examples"),
    ("http://198.51.100.7/", "an address for examples"),
    ("http://203.0.113.9/", "an address for examples"),
    ("http://198.18.0.1/", "an address for measurements"),
    ("http://198.19.255.255/", "an address for measurements"),
    ("http://192.52.193.1/", "a reserved address"),
    ("http://192.88.99.1/", "a 6to4 address"),
    ("http://224.0.0.1/", "a multicast address"),
    ("http://239.255.255.255/", "a multicast address"),
    ("http://240.0.0.1/", "a reserved address"),
    ("http://255.255.255.255/", "the broadcast address"),
    # the metadata services of clouds
    ("http://169.254.169.254/latest/meta-data/", "a metadata address"),
    ("http://168.63.129.16/", "a metadata address"),
    ("http://100.100.100.200/", "a metadata address"),
    ("http://192.0.0.192/", "a metadata address"),
    ("http://[fd00:ec2::254]/", "a metadata address"),
    ("http://[fd20:ce::254]/", "a metadata address"),
    ("http://metadata.google.internal/", "is at 169.254.169.254, which is a metadata address"),
    # IPv4 in other spellings: octal, hex, one number, short, with leading zeros, with a dot at the end
    ("http://0177.0.0.1/", "not an IPv4 address as it is usually written"),
    ("http://0x7f.0.0.1/", "not an IPv4 address as it is usually written"),
    ("http://0x7f000001/", "not an IPv4 address as it is usually written"),
    ("http://0X7F.1/", "not an IPv4 address as it is usually written"),
    ("http://2130706433/", "not an IPv4 address as it is usually written"),
    ("http://017700000001/", "not an IPv4 address as it is usually written"),
    ("http://127.1/", "not an IPv4 address as it is usually written"),
    ("http://127.0.1/", "not an IPv4 address as it is usually written"),
    ("http://0/", "not an IPv4 address as it is usually written"),
    ("http://127.0.0.01/", "not an IPv4 address as it is usually written"),
    ("http://256.256.256.256/", "not an IPv4 address as it is usually written"),
    ("http://1.2.3.4.5/", "not an IPv4 address as it is usually written"),
    ("http://127.0.0.0x1/", "not an IPv4 address as it is usually written"),
    ("http://127.0.0.1./", "end in a dot"),
    ("http://４３.１/", "cannot stand in an address"),
    ("http://127。0。0。1/", "cannot stand in an address"),
    ("http://①②⑦.0.0.1/", "cannot stand in an address"),
    ("http://127%2e0.0.1/", "not the name of a host"),
    ("http://%31%32%37.0.0.1/", "not the name of a host"),
    # IPv6
    ("http://[::]/", "an address of no machine"),
    ("http://[::1]/", "a loopback address"),
    ("http://[0:0:0:0:0:0:0:1]/", "Write [0:0:0:0:0:0:0:1] as [::1]"),
    ("http://[::ffff:127.0.0.1]/", "an IPv4 address written as IPv6"),
    ("http://[::ffff:7f00:1]/", "an IPv4 address written as IPv6"),
    ("http://[::ffff:808:808]/", "an IPv4 address written as IPv6"),
    ("http://[::127.0.0.1]/", "Write [::127.0.0.1] as"),
    ("http://[::7f00:1]/", "an IPv4 address written as IPv6"),
    ("http://[::ffff:0:7f00:1]/", "an IPv4 address written as IPv6"),
    ("http://[64:ff9b::7f00:1]/", "a NAT64 address"),
    ("http://[64:ff9b:1::a00:1]/", "a NAT64 address"),
    ("http://[2002:7f00:1::]/", "a 6to4 address"),
    ("http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "a Teredo address"),
    ("http://[2001:10::1]/", "an ORCHID"),
    ("http://[2001:20::1]/", "an ORCHID"),
    ("http://[2001:2::1]/", "a reserved address"),
    ("http://[2001:db8::1]/", "an address for examples"),
    ("http://[3fff::1]/", "an address for examples"),
    ("http://[5f00::1]/", "a reserved address"),
    ("http://[100::1]/", "a reserved address"),
    ("http://[4000::1]/", "a reserved address"),
    ("http://[fc00::1]/", "a private address"),
    ("http://[fd12:3456:789a::1]/", "a private address"),
    ("http://[fe80::1]/", "a link-local address"),
    ("http://[fe80::1%25eth0]/", "Write [fe80::1%25eth0] as [fe80::1]"),
    ("http://[fec0::1]/", "a site-local address"),
    ("http://[ff02::1]/", "a multicast address"),
    ("http://[2606:4700::5efe:a00:1]/", "an IPv4 address written as IPv6"),
    ("http://[v1.fe80::a+en1]/", "not an IPv6 address"),
    # names that lead inside
    ("http://inside.example/", "is at 10.1.2.3, which is a private address"),
    ("http://127.0.0.1.wildcard.example/", "is at 127.0.0.1, which is a loopback address"),
    ("http://both.example/", "is at 192.168.0.9, which is a private address"),
    ("http://both6.example/", "is at ::1, which is a loopback address"),
    ("http://mapped.example/", "is at ::ffff:10.0.0.1, which is an IPv4 address written as IPv6"),
    ("http://nowhere.example/", "could not be found"),
    # what one reader takes for the host and another does not
    ("http://good.example@127.0.0.1/", "user name or a password"),
    ("http://user:secret@good.example/", "user name or a password"),
    ("http://127.0.0.1:80@good.example/", "user name or a password"),
    ("http://good.example\\@127.0.0.1/", "a backslash"),
    ("http:\\\\127.0.0.1/", "a backslash"),
    ("http://good.example#@127.0.0.1/", "must not contain #"),
    ("http://good.example/#part", "must not contain #"),
    ("http://good.example%00.127.0.0.1/", "not the name of a host"),
    ("http://127.0.0.1%23.good.example/", "not the name of a host"),
    ("http://good.example /", "a blank or a control character"),
    ("http://good.\texample/", "a blank or a control character"),
    ("http://good.example/\r\nHost: 127.0.0.1", "a blank or a control character"),
    (" http://good.example/", "a blank or a control character"),
    ("http://good.example/\0", "a blank or a control character"),
    ("http://[::1/", "is not the name of a host"),
    ("http://[::1]good.example/", "not the name of a host"),
    ("http://::1/", "names no host"),
    ("http:///path", "names no host"),
    ("http://", "names no host"),
    ("http://:80/", "names no host"),
    ("//good.example/", "must begin with"),
    ("http:good.example", "must begin with"),
    ("good.example", "must begin with"),
    ("", "must begin with"),
    ("http://-a.example/", "not the name of a host"),
    ("http://a..example/", "not the name of a host"),
    ("http://a_b.example/", "not the name of a host"),
    ("http://gööd.example/", "“ö” cannot stand in an address"),
    ("http://" + "a" * 64 + ".example/", "not the name of a host"),
    ("http://" + ".".join(["a" * 60] * 5) + "/", "not the name of a host"),
    ("http://good.example/" + "a" * 2000, "has 2,020 characters"),
    # other protocols and other services
    ("ftp://good.example/", "must begin with"),
    ("file:///etc/passwd", "must begin with"),
    ("gopher://good.example/", "must begin with"),
    ("javascript:alert(1)", "must begin with"),
    ("http://good.example:22/", "Port 22 belongs to another service"),
    ("http://good.example:25/", "Port 25 belongs to another service"),
    ("http://good.example:5432/", "Port 5432 belongs to another service"),
    ("http://good.example:6379/", "Port 6379 belongs to another service"),
    ("http://good.example:11211/", "Port 11211 belongs to another service"),
    ("http://good.example:0/", "not a port"),
    ("http://good.example:65536/", "not a port"),
    ("http://good.example:-1/", "not a port"),
    ("http://good.example:/", "not a port"),
    ("http://good.example:080/", "not a port"),
    ("http://good.example:80a/", "not a port"),
]
GOOD = [
    "https://good.example/",
    "https://good.example",
    "http://good.example/hooks/1?token=a%20b&x=[1]",
    "HTTPS://Good.Example:8443/Path",
    "https://good.example?x=1",
    "https://xn--gd-fka.example/",
    "https://six.example:65535/",
    f"http://{PUBLIC}:80/",
    f"https://[{PUBLIC6}]:443/",
    "https://8.8.8.8/",
    "https://172.32.0.1/",
    "https://100.128.0.1/",
    "https://good.example/a@b:c",
    "https://good.example/" + "a" * 1979,
]


@pytest.fixture(autouse=True)
def names(resolver: Resolver, public_only: None) -> Resolver:
    resolver.names = {
        "good.example": [PUBLIC, PUBLIC6],
        "six.example": [PUBLIC6],
        "xn--gd-fka.example": [PUBLIC],
        "localhost": ["::1", "127.0.0.1"],
        "metadata.google.internal": ["169.254.169.254"],
        "inside.example": ["10.1.2.3"],
        "127.0.0.1.wildcard.example": ["127.0.0.1"],
        "both.example": [PUBLIC, "192.168.0.9"],
        "both6.example": [PUBLIC, "::1"],
        "mapped.example": ["::ffff:10.0.0.1"],
        "intranet": ["10.0.0.5"],
        "a.localhost": ["127.0.0.1"],
    }
    return resolver


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The places that anything wanted to connect to; nothing does."""
    wanted: list[Any] = []

    def connect(self: BoundedSocket, address: Any) -> None:
        wanted.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(BoundedSocket, "connect", connect)
    return wanted


def test_table_is_long_enough() -> None:
    assert len({url for url, _ in HOSTILE}) == len(HOSTILE) >= 60


@pytest.mark.parametrize(("url", "words"), HOSTILE)
def test_hostile_address_is_refused_when_saved(url: str, words: str) -> None:
    with pytest.raises(BadAddress) as refused:
        check(url)
    assert words in str(refused.value)


#: Its first address is public, and the client pins only that.
PINNED_TO_A_PUBLIC_ONE = {"http://both.example/", "http://both6.example/"}


@pytest.mark.parametrize("url", [url for url, _ in HOSTILE if url not in PINNED_TO_A_PUBLIC_ONE])
def test_hostile_address_is_refused_when_posting(url: str, connects: list[Any], client: Client) -> None:
    answer = client.post(url, {}, b"{}", 5)
    assert (answer.status, connects) == (None, [])
    assert answer.error


@pytest.mark.parametrize("url", GOOD)
def test_good_address_is_taken(url: str) -> None:
    check(url)


def test_private_ones_are_taken_where_the_setting_permits(settings: Settings) -> None:
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True
    for url in (
        "http://localhost:8000/",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/",
        "http://10.0.0.1/",
        "http://intranet/",
    ):
        check(url)
    for url, words in HOSTILE:
        if any(
            kind in words for kind in ("metadata", "link-local", "IPv6", "CGNAT", "usually", "user name", "Port", "reserved")
        ):
            with pytest.raises(BadAddress):
                check(url)


def test_place_of_an_address() -> None:
    assert place_of("HTTPS://Good.Example/x") == Place("https", "good.example", 443)
    assert place_of("http://good.example?x") == Place("http", "good.example", 80)
    assert str(place_of("http://[2606:4700::1111]:8080/")) == "[2606:4700::1111]:8080"


def test_ordinary_addresses_are_not_forbidden() -> None:
    for address in (PUBLIC, PUBLIC6, "1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "223.255.255.255", "2a00::1"):
        assert forbidden(address) == ""
    assert forbidden("fe80::1%eth0") == "a link-local address"


def test_slow_name_server_is_not_waited_for(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: time.sleep(4))
    began = time.monotonic()
    with pytest.raises(BadAddress, match="could not be looked up within 0.2 seconds"):
        check("https://good.example/", 0.2)
    assert time.monotonic() - began < 3


def test_rebinding_after_the_check_reaches_nothing(names: Resolver, client: Client) -> None:
    with Receiver() as receiver:
        names.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
        url = f"http://rebind.example:{receiver.port}/"
        check(url)
        answer = client.post(url, {}, b"{}", 5)
        with pytest.raises(BadAddress, match="is at 127.0.0.1, which is a loopback address"):
            check(url)
        assert (answer.status, receiver.requests, receiver.opened) == (None, [], 0)
        assert (
            answer.error == "rebind.example is at 127.0.0.1, which is a loopback address. Webhooks go to public addresses only."
        )


def test_rebinding_between_look_up_and_connect_reaches_nothing(names: Resolver, connects: list[Any], client: Client) -> None:
    names.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    client.post("http://rebind.example/", {}, b"{}", 5)
    assert (connects, names.asked["rebind.example"]) == ([(PUBLIC, 80)], 1)


def test_rebinding_does_not_reach_metadata_where_private_ones_are_permitted(
    names: Resolver, connects: list[Any], settings: Settings, client: Client
) -> None:
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True
    names.names["rebind.example"] = [["10.0.0.1"], ["169.254.169.254"]]
    check("http://rebind.example/")
    answer = client.post("http://rebind.example/", {}, b"{}", 5)
    assert connects == []
    assert "a metadata address of a cloud" in answer.error


def test_connection_judges_an_address_that_the_pin_let_pass(
    connects: list[Any], monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setattr("requests_hardened.ip_filter_adapter.filter_host", lambda host, port, allow_loopback: "168.63.129.16")
    answer = client.post("http://good.example/", {}, b"{}", 5)
    assert (answer.status, connects) == (None, [])
    assert "168.63.129.16 is a metadata address of a cloud" in answer.error
