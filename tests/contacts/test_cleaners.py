"""Phone numbers and e-mail addresses as people and spreadsheets write them."""

import pytest

from contacts.cleaners import Email, Phone
from importer.values import BadValue


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("+374 (11) 22-33-44", "+37411223344"),
        ("011223344", "+37411223344"),
        ("0037411223344", "+37411223344"),
        ("37411223344.0", "+37411223344"),
        (" '+37411223344 ", "+37411223344"),
        ("\uff0b37411223344", "+37411223344"),
        ("+971 50 123 4567", "+971501234567"),
        # Of a country, though it gives out no such number.
        ("(+374)500500", "+374500500"),
        ("(+911)44558899", "+91144558899"),
        # Of no country: the digits as they stand, with the zeros that the text cell kept.
        ("14.0", "14"),
        ("0014", "0014"),
        ("٠١٤", "014"),
    ],
)
def test_phone_is_stored_in_one_form(text, stored):
    assert Phone()(text) == stored


def test_phone_without_a_country_is_of_the_region_in_the_settings(settings):
    settings.LOADIFY_PHONE_REGION = "AE"
    assert Phone()("050 123 4567") == "+971501234567"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The phone number is empty; a contact without one is not stored."),
        (" ' ", "The phone number is empty; a contact without one is not stored."),
        ("3.7411223344E+10", "A spreadsheet has shortened the phone number to “3.7411223344E+10”; its last digits are lost."),
        ("call me", "“call me” is not a phone number."),
        ("1-800-FLOWERS", "“1-800-FLOWERS” is not a phone number."),
        ("011223344 ext. 5", "“011223344 ext. 5” is not a phone number."),
        ("1", "“1” is not a phone number."),
        ("011 223401 / 011 223402", "“011 223401 / 011 223402” has too many digits for one phone number."),
        ("1" * 18, "“111111111111111111” has too many digits for one phone number."),
        ("37411223344.5", "“37411223344.5” is a number with a fraction, not a phone number."),
        ("2024-05-01", "“2024-05-01” is a date, not a phone number."),
        ("2024-05-01 09:30:00", "“2024-05-01 09:30:00” is a date, not a phone number."),
    ],
)
def test_phone_that_is_none_is_refused_with_a_sentence(text, why):
    with pytest.raises(BadValue) as refused:
        Phone()(text)
    assert str(refused.value) == why


def test_phones_of_a_column_are_cleaned_one_by_one():
    assert Phone().many(["011223344", "14.0", "011223344"]) == ["+37411223344", "14", "+37411223344"]
    with pytest.raises(BadValue):
        Phone().many(["011223344", ""])


@pytest.mark.parametrize(
    ("text", "stored"), [(" Kevin@Gmail.COM ", "kevin@gmail.com"), ("", ""), ("a+b@Müller.DE", "a+b@müller.de")]
)
def test_email_is_trimmed_and_in_lower_case(text, stored):
    assert Email()(text) == stored


@pytest.mark.parametrize(
    "text", ["kevin", "kevin@", "@gmail.com", "a b@gmail.com", "kevin@gmail", "a@b@c.com", "a@" + "b" * 260]
)
def test_email_that_is_none_is_refused_with_a_sentence(text):
    with pytest.raises(BadValue, match="is not an e-mail address"):
        Email()(text)


def test_email_that_must_be_there_is_refused_when_empty():
    with pytest.raises(BadValue, match=r"The e-mail address is empty\."):
        Email(required=True)(" ")
