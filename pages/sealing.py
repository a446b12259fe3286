"""Keys by which the database holds secrets sealed, so that a copy of it tells nothing."""

import base64
from functools import cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def fernet(secret: str, purpose: str) -> Fernet:
    """What seals and opens with a long random text, for one `purpose`.

    Fernet wants exactly 32 bytes, people set texts of any length. HKDF (RFC 5869) brings the one to the other, and its `info`
    makes it another key than anything else that is ever derived from the same text. It is not slow, as a hash of passwords is:
    the text must be long and random.
    """
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


@cache
def by_secret_key(purpose: str) -> Fernet:
    """The same with SECRET_KEY: what it sealed is lost when that is changed."""
    return fernet(settings.SECRET_KEY, purpose)
