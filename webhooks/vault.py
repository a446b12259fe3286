"""Secrets as the database holds them: sealed with the keys of LOADIFY_WEBHOOK_KEYS, so that a copy of it tells nothing.

The first key seals, all of them open. To change keys, put a new one in front, reseal everything, take the old one away.
"""

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotUnseal(Exception):
    """None of the keys opens it; the text is a sentence for people."""

    def __init__(self) -> None:
        super().__init__(
            "No key in LOADIFY_WEBHOOK_KEYS opens this secret. Put the key back that was there when it was stored."
        )


def seal(text: str) -> str:
    return _fernet(tuple(settings.LOADIFY_WEBHOOK_KEYS)).encrypt(text.encode()).decode()


def unseal(token: str) -> str:
    """What was sealed. Raises CannotUnseal."""
    try:
        return _fernet(tuple(settings.LOADIFY_WEBHOOK_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise CannotUnseal from None


def reseal(token: str) -> str:
    """The same secret, sealed with the key that is the first now. Raises CannotUnseal."""
    try:
        return _fernet(tuple(settings.LOADIFY_WEBHOOK_KEYS)).rotate(token.encode()).decode()
    except InvalidToken:
        raise CannotUnseal from None


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_key_of(text)) for text in keys])


def _key_of(text: str) -> bytes:
    # Fernet wants exactly 32 bytes, people set texts of any length. HKDF (RFC 5869) brings the one to the other, and its
    # `info` makes it another key than anything else that is ever derived from the same text. It is not slow, as a hash of
    # passwords is: the text must be long and random.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"loadify.webhooks.vault").derive(text.encode())
    return base64.urlsafe_b64encode(derived)
