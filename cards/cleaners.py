"""How partners spell card ids and phone numbers, and what they mean."""

import re
from dataclasses import dataclass

from cards.models import CardEvent
from importer.values import BadValue, CellByCell, Text, fold, mistaken, quote

_TEXT = Text("card ID", CardEvent.CARD_LENGTH, required=True, trim=True)

#: Marks that nobody sees: zero-width ones and those of direction, which phones put around numbers that are copied.
_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
#: Quotation marks around a cell, also as `="0017"`, which keeps a spreadsheet from shortening it.
_QUOTES = "=\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e"
#: What stands around and between the digits of a phone number.
_BETWEEN = re.compile("[\\s()\\[\\]{}.+\\-\u2010-\u2015\u2212'\"`\u2018-\u201f\u00b4]")
#: Fifteen digits of an international number (E.164) behind 00; two numbers in one cell have more.
_FEWEST, _MOST = 5, 17


def card_id(text: str) -> str:
    """The card id that `text` spells: without invisible marks, and blanks and quotation marks around it, in capital letters."""
    return fold(_bared(text)).upper()


def phone_digits(text: str) -> str:
    """The digits of a phone number, out of any quotes, blanks, brackets and hyphens, or of a number cell (`585949014.0`).

    Blank stays blank. Raises BadValue.
    """
    value = _whole(text)
    if what := mistaken(value):
        raise BadValue(f"{quote(text.strip())} is {what}, not a phone number.")
    digits = _digits(value)
    if digits and not (_are_digits(digits) and _FEWEST <= len(digits) <= _MOST):
        raise BadValue(f"{quote(text.strip())} is not a phone number.")
    return digits


def phone_end(text: str) -> str:
    """The last nine digits of a phone number, which are the same however the country in front is written.

    Raises BadValue where there are fewer, because they would be the end of many numbers.
    """
    digits = _digits(_whole(text))
    if len(digits) < CardEvent.PHONE_DIGITS and (not digits or _are_digits(digits)):
        raise BadValue(f"{quote(text.strip())} has fewer than nine digits; write the whole mobile number.")
    return phone_digits(text)[-CardEvent.PHONE_DIGITS :]


def _bared(text: str) -> str:
    return _UNSEEN.sub("", text).strip().strip(_QUOTES).strip()


def _whole(text: str) -> str:
    """`text` without what a number cell has behind the point."""
    return re.sub(r"\.0+$", "", _bared(text))


def _digits(value: str) -> str:
    digits = _BETWEEN.sub("", value)
    if digits.isascii():
        return digits
    # Digits of another script, such as Arabic ones, mean the same.
    return "".join(str(int(mark)) if mark.isdecimal() else mark for mark in digits)


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def same_phone(text: str) -> str | None:
    """What two spellings of one phone number have in common; None for what is no whole phone number."""
    try:
        return phone_end(text)
    except BadValue:
        return None


@dataclass(frozen=True)
class CardId(CellByCell):
    def __call__(self, text: str) -> str:
        value = card_id(_TEXT(text))
        if not value:
            raise BadValue("The card ID is empty.")
        if len(value) > CardEvent.CARD_LENGTH:
            raise BadValue(f"{quote(text)} is too long for a card ID.")
        if not value.isprintable():
            raise BadValue(f"{quote(text)} is not a card ID: it holds a line end or another mark that cannot be shown.")
        return value


@dataclass(frozen=True)
class PhoneDigits(CellByCell):
    """The digits of a phone number as they were given (phone_digits)."""

    def __call__(self, text: str) -> str:
        return phone_digits(text)
