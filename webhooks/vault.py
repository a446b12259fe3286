"""Secrets as the database holds them: sealed with the keys of LOADIFY_WEBHOOK_KEYS, so that a copy of it tells nothing.

The first key seals, all of them open. To change keys, put a new one in front, reseal everything, take the old one away.
"""

from functools import cache

from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings

from pages.sealing import fernet


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
    return MultiFernet([fernet(text, "loadify.webhooks.vault") for text in keys])
