"""The first administrator of a fresh database."""

import secrets

from accounts.models import User


class AddressTaken(Exception):
    """A sentence for the person who started Loadify."""


def ensure_admin(email: str, password: str) -> tuple[User, str] | None:
    """Make an administrator unless there is one, and return the user with the password to sign in with.

    A blank password is replaced by a generated one, which is kept nowhere else. Returns None when somebody is an
    administrator already. Raises AddressTaken.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    email = (email or "admin@localhost").strip().lower()
    if User.objects.filter(email=email).exists():
        raise AddressTaken(
            f"Nobody is an administrator, and {email} belongs to somebody who is none. Set DJANGO_SUPERUSER_EMAIL."
        )
    password = password or secrets.token_urlsafe(12)
    return User.objects.create_superuser(email, password), password
