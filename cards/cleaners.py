"""How partners spell card ids and phone numbers, and what they mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cards.models import CardEvent
from importer.values import BadValue, Each, Text, fold, quote

_TEXT = Text("card ID", CardEvent.CARD_LENGTH, required=True, trim=True)


def card_id(text: str) -> str:
    """The card id that `text` spells: trimmed, without invisible marks, in capital letters."""
    return fold(text).upper()


@dataclass(frozen=True)
class CardId:
    def __call__(self, text: str) -> str:
        value = card_id(_TEXT(text))
        if len(value) > CardEvent.CARD_LENGTH:
            raise BadValue(f"{quote(text)} is too long for a card ID.")
        return value

    def many(self, texts: Sequence[str]) -> Sequence[str | None]:
        return Each(self).many(texts)


@dataclass(frozen=True)
class PhoneDigits:
    """The digits of a phone number, out of any quotes, blanks, brackets and hyphens; a number cell (`585949014.0`) is
    repaired. Blank stays blank."""

    def __call__(self, text: str) -> str:
        value = text.strip().strip("'\"").strip()
        value = re.sub(r"\.0+$", "", value)
        digits = re.sub(r"[\s()./+\-\u2010-\u2015\u00a0]", "", value)
        if not digits:
            return ""
        if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= CardEvent.PHONE_LENGTH):
            raise BadValue(f"{quote(text)} is not a phone number.")
        return digits

    def many(self, texts: Sequence[str]) -> Sequence[str | None]:
        return Each(self).many(texts)
