import pytest

from accounts.first_admin import AddressTaken, ensure_admin
from accounts.models import Role, User

pytestmark = pytest.mark.django_db


def test_first_administrator_gets_what_was_asked_for() -> None:
    made = ensure_admin("Boss@Example.com", "given-password")
    assert made is not None
    user, password = made
    assert (user.email, password) == ("boss@example.com", "given-password")
    assert user.check_password("given-password")
    assert (user.role, user.is_superuser, user.is_staff) == (Role.ADMIN, True, True)


def test_blank_wishes_give_a_generated_password() -> None:
    made = ensure_admin("", "")
    assert made is not None
    user, password = made
    assert user.email == "admin@localhost"
    assert len(password) == 16
    assert user.check_password(password)


def test_no_second_administrator_is_made() -> None:
    ensure_admin("", "")
    assert ensure_admin("other@example.com", "x") is None
    assert User.objects.count() == 1


def test_address_of_an_ordinary_user_is_not_raised_to_administrator() -> None:
    User.objects.create_user("admin@localhost", "theirs")
    with pytest.raises(AddressTaken, match="admin@localhost belongs to somebody who is none"):
        ensure_admin("", "")
    assert not User.objects.filter(is_superuser=True).exists()
