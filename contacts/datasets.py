"""Contacts and people as datasets: what their files mean."""

from contacts.cleaners import Email, Phone
from contacts.models import Contact, Person
from importer.datasets import Column, Dataset, Key, Personal, register
from importer.policies import HoldWithin, KeepFirst
from importer.values import BadValue, Text, fold


def phone_of(text: str) -> str | None:
    """The phone number that `text` spells, in the form in which it is stored; None when it spells none."""
    try:
        return Phone()(text)
    except BadValue:
        return None


def email_of(text: str) -> str | None:
    """The same for an e-mail address."""
    try:
        return Email(required=True)(text)
    except BadValue:
        return None


CONTACTS = register(
    Dataset(
        name="contacts",
        title="Contacts",
        model=Contact,
        # No two lines are the same row; this is what a row is shown and found by.
        key=Key(column="phone", field="phone", fold=str.strip),
        columns=(
            Column("name", Text("name", Contact.NAME_LENGTH, trim=True), blank_choice=False),
            Column("phone", Phone(), aliases=("phone number",), blank="never", blank_choice=False),
            Column("email", Email(), aliases=("email address", "e-mail", "e-mail address"), blank_choice=False, title="E-mail"),
        ),
        policy=HoldWithin(match=("phone", "email"), setting="LOADIFY_HOLD_SECONDS", until="closed_until"),
        personal=(Personal("phone", phone_of), Personal("email", email_of)),
        pages=(("held", "Held rows"),),
    )
)

PEOPLE = register(
    Dataset(
        name="people",
        title="People",
        model=Person,
        key=Key(column="email", field="email_key", fold=fold),
        columns=(
            Column("name", Text("name", Person.NAME_LENGTH, trim=True), aliases=("full name",), blank_choice=False),
            Column(
                "email",
                Email(required=True),
                aliases=("email address", "e-mail", "e-mail address"),
                blank="never",
                blank_choice=False,
                title="E-mail",
            ),
        ),
        policy=KeepFirst(),
        personal=(Personal("email", email_of),),
        pages=(("dead-letters", "Dead letters"),),
    )
)
