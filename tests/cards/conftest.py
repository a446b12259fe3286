"""A signed-in person, whole imports, and the partner's sample files as they were sent."""

from pathlib import Path

import pytest
from django.test import Client

from accounts.models import User
from tests.importer.conftest import load, submit

__all__ = ["load", "submit"]

FILES = Path(__file__).resolve().parent.parent / "files"
#: The files of one delivery → the layout of each.
LAYOUTS = {
    "pickup.csv": "pickup",
    "delivery-exceptions.csv": "exceptions",
    "delivered.csv": "delivered",
    "returned.csv": "returned",
}


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", name="Anna", role="editor")


@pytest.fixture
def reader(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client


@pytest.fixture
def partner(load):
    """Import the four files of `kind`, cards-partner or cards-drifted, in the order of `names`; returns the imports."""

    def partner(kind: str = "cards-partner", names=tuple(LAYOUTS)):
        return [load((FILES / kind / name).read_bytes(), "cards", name, layout=LAYOUTS[name]) for name in names]

    return partner
