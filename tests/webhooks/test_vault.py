import pytest
from pytest_django import Settings

from webhooks.vault import CannotUnseal, reseal, seal, unseal

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> Settings:
    settings.LOADIFY_WEBHOOK_KEYS = ["old-key-" + "o" * 40]
    return settings


def test_sealed_secret_is_unsealed_and_shows_nothing() -> None:
    token = seal(SECRET)
    assert SECRET not in token
    assert unseal(token) == SECRET
    assert seal(SECRET) != token


@pytest.mark.parametrize("key", ["k", "\u00fc" * 50, "x" * 500, "SECRET_KEY looking text !@#$%"])
def test_any_text_is_a_key(keys: Settings, key: str) -> None:
    keys.LOADIFY_WEBHOOK_KEYS = [key]
    assert unseal(seal(SECRET)) == SECRET


def test_first_key_seals_and_all_unseal(keys: Settings) -> None:
    by_old = seal(SECRET)
    keys.LOADIFY_WEBHOOK_KEYS = ["new-key", *keys.LOADIFY_WEBHOOK_KEYS]
    by_new = seal(SECRET)
    assert unseal(by_old) == unseal(by_new) == SECRET
    keys.LOADIFY_WEBHOOK_KEYS = ["new-key"]
    assert unseal(by_new) == SECRET
    with pytest.raises(CannotUnseal):
        unseal(by_old)


def test_resealed_secret_needs_the_old_key_no_more(keys: Settings) -> None:
    token = seal(SECRET)
    keys.LOADIFY_WEBHOOK_KEYS = ["new-key", *keys.LOADIFY_WEBHOOK_KEYS]
    token = reseal(token)
    keys.LOADIFY_WEBHOOK_KEYS = ["new-key"]
    assert unseal(token) == SECRET


@pytest.mark.parametrize(
    "spoil", [lambda token: token[:-4], lambda token: "A" + token[1:], lambda token: "", lambda token: "\u00e4"]
)
@pytest.mark.parametrize("open_it", [unseal, reseal])
def test_what_no_key_opens_is_refused_with_a_sentence(spoil, open_it) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CannotUnseal, match="No key in LOADIFY_WEBHOOK_KEYS opens this secret"):
        open_it(spoil(seal(SECRET)))
