"""A signed-in person at the pages of the catalogue, and whole imports as the importer's own tests make them."""

import pytest
from django.test import Client

from accounts.models import User
from tests.importer.conftest import load, submit

__all__ = ["load", "submit"]


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", name="Anna", role="admin")


@pytest.fixture
def editor(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client
