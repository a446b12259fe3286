"""Changing the key that seals secrets: the new one in front, everything sealed again, the old one gone."""

import pytest
from django.core.management import CommandError, call_command

from webhooks import endpoints, vault

pytestmark = pytest.mark.django_db

OLD, NEW = "an old key, long enough to be one", "a new key, long enough to be one"


def test_secrets_outlive_the_key_that_sealed_them(settings, capsys) -> None:
    settings.LOADIFY_WEBHOOK_KEYS = [OLD]
    endpoint, old_secret = endpoints.add("https://shop.example/", "", [], None)
    secret = endpoints.rotate(endpoint)
    settings.LOADIFY_WEBHOOK_KEYS = [NEW, OLD]
    call_command("reseal_webhooks")
    assert "1 webhooks" in capsys.readouterr().out
    settings.LOADIFY_WEBHOOK_KEYS = [NEW]
    endpoint.refresh_from_db()
    assert (vault.unseal(endpoint.secret), vault.unseal(endpoint.old_secret)) == (secret, old_secret)


def test_key_that_is_missing_changes_nothing(settings) -> None:
    settings.LOADIFY_WEBHOOK_KEYS = [OLD]
    endpoint, _ = endpoints.add("https://shop.example/", "", [], None)
    settings.LOADIFY_WEBHOOK_KEYS = [NEW]
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("reseal_webhooks")
    sealed = endpoint.secret
    endpoint.refresh_from_db()
    assert endpoint.secret == sealed
