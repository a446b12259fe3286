"""From where a request came, behind proxies that write it in their own ways."""

import pytest
from django.test import RequestFactory

from accounts.audit import address_of


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "9.9.9.9", "127.0.0.1"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "203.0.113.7", "127.0.0.1"),
        (1, "203.0.113.7:5678", "203.0.113.7"),
        (1, "[2001:db8::7]:5678", "2001:db8::7"),
        (1, "2001:DB8::7", "2001:db8::7"),
        (1, "fe80::7%eth0", "fe80::7"),
        # No address: it would not go into the log's column, and the sign-in would break.
        (1, "unknown", "127.0.0.1"),
        (1, "\0", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_address_is_the_one_the_last_proxy_of_ours_but_so_many_saw(settings, proxies, forwarded, address):
    settings.LOADIFY_PROXIES = proxies
    assert address_of(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})) == address
