"""Contacts and people as datasets: what their files mean."""

from contacts import samples
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
            Column(
                "name",
                Text("name", Contact.NAME_LENGTH, trim=True),
                blank_choice=False,
                about="Up to 255 characters; may be blank.",
            ),
            Column(
                "phone",
                Phone(),
                aliases=("phone number",),
                blank="never",
                blank_choice=False,
                about="In any spelling, with or without the country. A contact without a phone number is not stored.",
            ),
            Column(
                "email",
                Email(),
                aliases=("email address", "e-mail", "e-mail address"),
                blank_choice=False,
                about="May be blank. Upper and lower case are the same.",
                title="E-mail",
            ),
        ),
        about="Every line becomes a contact. One whose phone or e-mail was stored a moment ago is held, and stored later.",
        policy=HoldWithin(match=("phone", "email"), setting="LOADIFY_HOLD_SECONDS", until="closed_until"),
        personal=(Personal("phone", phone_of), Personal("email", email_of)),
        pages=(("held", "Held rows"),),
        sample=samples.contacts,
    )
)

PEOPLE = register(
    Dataset(
        name="people",
        title="People",
        model=Person,
        key=Key(column="email", field="email_key", fold=fold),
        columns=(
            Column(
                "name",
                Text("name", Person.NAME_LENGTH, trim=True),
                aliases=("full name",),
                blank_choice=False,
                about="Up to 255 characters; may be blank.",
            ),
            Column(
                "email",
                Email(required=True),
                aliases=("email address", "e-mail", "e-mail address"),
                blank="never",
                blank_choice=False,
                about="Whom a person is known by. Upper and lower case are the same.",
                title="E-mail",
            ),
        ),
        about="One record for each e-mail address: the first one stays. The file may do without a heading line.",
        policy=KeepFirst(),
        personal=(Personal("email", email_of),),
        pages=(("dead-letters", "Dead letters"),),
        sample=samples.people,
    )
)
