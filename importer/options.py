"""What a person chose at the start of an import, as it is kept in `Import.options`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """`places` {column: place of its cell, from 0} and `format` (readers.formats.Format as JSON) are empty when the file
    itself is to decide; `blank` {column: "keep" or "clear"} says what an empty cell does to the old value."""

    format: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    blank: Mapping[str, str] = field(default_factory=dict)
    #: Whether apostrophes before formulas were put there by an export, and go; None when the file itself is to tell.
    escaped: bool | None = None
    #: Columns that a person left out in the review.
    left_out: tuple[str, ...] = ()
    #: Switch off rows of the dataset that the file does not have.
    deactivate_missing: bool = False
    #: Stop when more lines than this are rejected; None for no limit.
    most_rejects: int | None = None
    #: Do not wait for a person, whatever the warnings say (command line).
    unasked: bool = False
    #: Send the rows through a queue, to be stored by consumers.
    queue: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Options":
        known = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        return cls(**known | {"left_out": tuple(known.get("left_out", ()))})

    def as_json(self) -> dict[str, Any]:
        """Only what was chosen."""
        empty = Options()
        return {name: value for name, value in asdict(self).items() if value != getattr(empty, name)}
