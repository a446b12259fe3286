import base64
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.signing import check_secret, new_secret, sign

BODIES = [
    b'{"sku": "A-1"}',
    '{"name": "Gr\u00fc\u00dfe \u2603 \U0001f600"}'.encode(),
    b"{}",
    b'{"a":\n "b.c"}',
    b'"' + b"x" * 20_000 + b'"',
]


def now() -> datetime:
    # Not once for all: who verifies refuses what is older than five minutes, and a whole run of tests takes longer.
    return datetime.now(UTC)


@pytest.mark.parametrize("body", BODIES)
def test_signature_is_verified_by_the_reference(body: bytes) -> None:
    secret = new_secret()
    headers = sign([secret], "msg_1", now(), body)
    Webhook(secret).verify(body, headers)
    assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]


def test_signature_equals_the_published_example() -> None:
    # The example that the standard's own libraries are tested with.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(("change", "value"), [("webhook-id", "msg_2"), ("webhook-timestamp", None)])
def test_changed_header_is_not_verified(change: str, value: str | None) -> None:
    secret = new_secret()
    value = value or str(int(time.time()) - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{}", sign([secret], "msg_1", now(), b"{}") | {change: value})


def test_changed_body_is_not_verified() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{ }", sign([secret], "msg_1", now(), b"{}"))


def test_old_and_new_secret_sign_side_by_side() -> None:
    new, old = new_secret(), new_secret()
    headers = sign([new, old], "msg_1", now(), b"{}")
    for secret in (new, old):
        Webhook(secret).verify(b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(b"{}", headers)
    assert [part[:3] for part in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]


def test_moment_of_another_time_zone_is_the_same_moment() -> None:
    secret, here = new_secret(), now()
    there = here.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert sign([secret], "msg_1", there, b"{}") == sign([secret], "msg_1", int(here.timestamp()), b"{}")


def test_new_secrets_are_in_order_and_differ() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    check_secret(first)
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "whsec_ followed by base64"),
        (new_secret().removeprefix("whsec_"), "whsec_ followed by base64"),
        ("whsec_", "this one holds 0"),
        ("whsec_" + "%" * 40, "whsec_ followed by base64"),
        ("whsec_\u00e4", "whsec_ followed by base64"),
        ("whsec_" + base64.b64encode(bytes(24)).decode()[:-1], "whsec_ followed by base64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 64 bytes; this one holds 23"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "24 to 64 bytes; this one holds 65"),
    ],
)
def test_secret_out_of_order_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_secret(text)


@pytest.mark.parametrize("size", [24, 64])
def test_secret_of_a_permitted_size_is_taken(size: int) -> None:
    check_secret("whsec_" + base64.b64encode(bytes(size)).decode())
