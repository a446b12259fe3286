"""How phone numbers and e-mail addresses are cleaned."""

import re
from dataclasses import dataclass

import phonenumbers
from django.conf import settings
from email_validator import EmailNotValidError, validate_email

from importer.values import BadValue, CellByCell, mistaken, quote

#: A number as a spreadsheet writes a phone that it took for one: 37411223344.0, 3.7411223344E+10
_NUMBER_CELL = re.compile(r"(\d+)\.0+")
#: Digits that begin like an international number and are none, such as 0014.
_SHORT = re.compile(r"00\d{1,13}")
_SCIENTIFIC = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")
#: Digits of the longest number (ITU-T E.164), and of 00 in front of it.
_MOST = 17


@dataclass(frozen=True)
class Phone(CellByCell):
    """A phone number in the form of ITU-T E.164, `+37411223344`; one without a country is of LOADIFY_PHONE_REGION.

    A number that no country gives out, such as the short number of an exchange, is kept as its digits, zeros in front
    included. A number cell (`37411223344.0`) is repaired.
    """

    def __call__(self, text: str) -> str:
        value = text.strip().strip("'\"").strip()
        if not value:
            raise BadValue("The phone number is empty; a contact without one is not stored.")
        if number_cell := _NUMBER_CELL.fullmatch(value):
            value = number_cell[1]
        elif _SCIENTIFIC.fullmatch(value):
            raise BadValue(f"A spreadsheet has shortened the phone number to {quote(text)}; its last digits are lost.")
        elif what := mistaken(value):
            raise BadValue(f"{quote(text)} is {what}, not a phone number.")
        elif sum(map(str.isdigit, value)) > _MOST:
            raise BadValue(f"{quote(text)} has too many digits for one phone number.")
        try:
            number = phonenumbers.parse(value, settings.LOADIFY_PHONE_REGION)
        except phonenumbers.NumberParseException:
            if _SHORT.fullmatch(value):
                return phonenumbers.normalize_digits_only(value)
            raise BadValue(f"{quote(text)} is not a phone number.") from None
        if number.extension or any(map(str.isalpha, value)):
            raise BadValue(f"{quote(text)} is not a phone number.")
        if "+" in value or "\uff0b" in value or phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return phonenumbers.normalize_digits_only(value)


@dataclass(frozen=True)
class Email(CellByCell):
    """An e-mail address by form alone (no DNS is asked), in lower case; blank where it is not `required`."""

    required: bool = False

    def __call__(self, text: str) -> str:
        value = text.strip().lower()
        if not value:
            if self.required:
                raise BadValue("The e-mail address is empty.")
            return ""
        try:
            return validate_email(value, check_deliverability=False).normalized.lower()
        except EmailNotValidError as problem:
            raise BadValue(f"{quote(text.strip())} is not an e-mail address. {problem}") from None
