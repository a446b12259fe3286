import pytest
from django.test import Client

from accounts.models import Role, User

PASSWORD = "quite-long-enough-42"


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_user("boss@example.com", PASSWORD, name="Bea", role=Role.ADMIN)


@pytest.fixture
def eva(db: None) -> User:
    return User.objects.create_user("eva@example.com", PASSWORD, role=Role.EDITOR)


@pytest.fixture
def admin(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client
