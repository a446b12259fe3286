"""Card reports as a dataset: four kinds of files that partners send, each a layout."""

import hashlib
from decimal import Decimal

from cards import samples
from cards.cleaners import CardId, PhoneDigits, same_phone
from cards.models import CardEvent, Stage
from importer.datasets import Column, Dataset, Key, Layout, Personal, Sample, register
from importer.policies import KeepFirst
from importer.values import Moment, Number, Text, fold

#: Marks the end of a value within a key.
_END = "\x1f"


def event_key(card: str, stage: str, at: str, reference: str, phone: str, comment: str) -> str:
    """What makes two reports the same: all that they say. The card stands in front, so that it is found by a piece."""
    rest = _END.join((stage, at, fold(reference), phone[-CardEvent.PHONE_DIGITS :], fold(comment)))
    return f"{fold(card)} {hashlib.sha256(rest.encode()).hexdigest()[:40]}"


_REFERENCE = Column(
    "reference",
    Text("ID", CardEvent.REFERENCE_LENGTH, trim=True),
    aliases=("id",),
    blank_choice=False,
    about="The partner's own number of the report.",
    title="ID",
)
_CARD = Column(
    "card_id",
    CardId(),
    aliases=("card id", "card"),
    blank="never",
    blank_choice=False,
    about="Upper and lower case are the same.",
    title="Card ID",
)
_AT = Column(
    "at",
    Moment("timestamp", "LOADIFY_CARDS_ZONE"),
    aliases=("timestamp",),
    blank="never",
    blank_choice=False,
    about="Day first, as in 31-12-2024 9:30 PM, or as in 2024-12-31T09:30:00Z. Without a zone it is the partner's.",
    title="Reported",
)
_COMMENT = Column(
    "comment",
    Text("comment", CardEvent.COMMENT_LENGTH, trim=True),
    aliases=("comment", "comments"),
    blank_choice=False,
    about="Up to 500 characters; may be blank.",
)
_MOBILE = Column("phone", PhoneDigits(), aliases=("user mobile",), blank_choice=False)
_CONTACT = Column("phone", PhoneDigits(), aliases=("user contact",), blank_choice=False)

#: In the name of a file; “undelivered” and “not delivered” are exceptions.
_EXCEPTIONS, _DELIVERED = r"exception|(un|no[nt][ _-]?)delivered", r"(?<!un)(?<!no[nt])(?<!no[nt][ _-])delivered"


def _layout(
    name: str, title: str, stage: Stage, phone: Column, file_name: str, sample: Sample, comment: bool = False
) -> Layout:
    columns = (_REFERENCE, _CARD, phone, _AT, *([_COMMENT] if comment else []))
    return Layout(name, title, columns, {"stage": str(stage.value)}, file_name, sample)


CARDS = register(
    Dataset(
        name="cards",
        title="Card reports",
        model=CardEvent,
        key=Key(column="card_id", field="event_key", fold=event_key, more=("stage", "at", "reference", "phone", "comment")),
        columns=(
            _REFERENCE,
            _CARD,
            Column(
                "stage",
                Number("stage", Decimal(Stage.PICKED_UP), Decimal(Stage.RETURNED), places=0),
                blank="never",
                blank_choice=False,
            ),
            Column(
                "phone",
                PhoneDigits(),
                aliases=("user mobile", "user contact"),
                blank_choice=False,
                about="In any spelling, also inside quotation marks; its last nine digits count.",
            ),
            _AT,
            Column(
                "comment", _COMMENT.clean, aliases=_COMMENT.aliases, required=False, blank_choice=False, about=_COMMENT.about
            ),
        ),
        about="Every report is kept once, however often its file comes. Headings and file name tell which kind it is.",
        policy=KeepFirst(),
        layouts=(
            _layout("pickup", "Picked up", Stage.PICKED_UP, _MOBILE, r"pick", samples.pickup),
            _layout(
                "exceptions", "Delivery exceptions", Stage.EXCEPTION, _CONTACT, _EXCEPTIONS, samples.exceptions, comment=True
            ),
            _layout("delivered", "Delivered", Stage.DELIVERED, _CONTACT, _DELIVERED, samples.delivered, comment=True),
            _layout("returned", "Returned", Stage.RETURNED, _CONTACT, r"return", samples.returned),
        ),
        date_field="at",
        # A card's timeline outlives the person's number. The stored phone has any spelling; `phone_end` has what they share.
        personal=(Personal("phone", same_phone, whole_row=False, field="phone_end"),),
        pages=(("cards", "Look up a card"),),
    )
)
