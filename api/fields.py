"""Kinds of values that operations take, and what the OpenAPI document says of them: as much as is checked, no less."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from importer import datasets
from webhooks.event_types import EVENT_TYPES

#: A text without NUL, which no database holds.
NO_NUL = "^[^\\u0000]*$"
#: The same with a character that people see: fold() leaves something of it.
VISIBLE = "^[^\\u0000]*[^\\s\\u0000-\\u001f\\u0085\\u200b\\ufeff][^\\u0000]*$"
#: The largest number of a row.
MOST = 2**63 - 1


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("A NUL cannot be part of a text.")
    return text


def _moment(value: Any) -> Any:
    # Seconds since 1970 are no moment as the document says (RFC 3339).
    if not isinstance(value, str) or not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]", value, re.ASCII):
        raise ValueError("Write the moment like 2024-12-31T09:30:00Z.")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("The moment is not within the years 1 to 9999.") from None


def _day(value: Any) -> date:
    # What else pydantic takes for a day, such as seconds since 1970, is not what the document says.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("Write the day like 2024-12-31.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"There is no day {value}.") from None


class _OneOf:
    """Says which values there are when the document is made; they are looked at elsewhere."""

    def __init__(self, values: Callable[[], Iterable[str]]) -> None:
        self.values = values

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "enum": list(self.values())}


#: A piece of text to look for.
Typed = Annotated[str, AfterValidator(_without_nul), Field(max_length=255, json_schema_extra={"pattern": NO_NUL})]
#: A day of TIME_ZONE.
Day = Annotated[date, BeforeValidator(_day)]
#: A moment with its offset.
Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
#: A name that `GET /datasets` lists; whoever takes one says that it is unknown.
DatasetName = Annotated[str, _OneOf(lambda: (dataset.name for dataset in datasets.all()))]
#: A type of event that webhooks may ask for.
EventType = Annotated[str, _OneOf(lambda: sorted(EVENT_TYPES))]
#: The number of a record, in a path; one that no record can have leads nowhere (404), as one does that no record has.
Number = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST})]
#: Signed, so that nothing says what one looks like but that it is no longer than this.
Cursor = Annotated[
    str, Field(max_length=1_000, description="`next` or `previous` of a page of the same list; blank for the first page.")
]
