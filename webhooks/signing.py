"""Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, moment and the very bytes that travel."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"


def new_secret() -> str:
    """A fresh secret of 32 random bytes, as text: whsec_ and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(text: str) -> None:
    """Raise ValueError with a sentence unless `text` is whsec_ and the base64 of 24 to 64 bytes, as the standard asks."""
    try:
        size = len(_key(text))
    except (ValueError, binascii.Error):
        raise ValueError(f"A secret is {PREFIX} followed by base64.") from None
    if not 24 <= size <= 64:
        raise ValueError(f"A secret holds 24 to 64 bytes; this one holds {size}.")


def sign(keys: Sequence[str], message_id: str, at: datetime | int, body: bytes) -> dict[str, str]:
    """The three headers that go with `body`, with one signature for each secret in `keys`.

    `at` is an aware moment, or whole seconds since 1970 (UTC). Who verifies takes any one signature, so while a secret
    is changed the old one and the new one sign side by side.
    """
    seconds = at if isinstance(at, int) else int(at.timestamp())
    signed = f"{message_id}.{seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(_key(key), signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise ValueError
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)
