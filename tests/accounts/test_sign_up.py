"""The way to an account of one's own: shown where the site allows it."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_signing_up_is_offered_only_where_it_is_open(client: Client, settings) -> None:
    assert "Make an account" not in client.get("/accounts/login/").text
    settings.LOADIFY_SIGN_UP = True
    assert "Make an account" in client.get("/accounts/login/").text
