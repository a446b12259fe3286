"""Reads messages of a queue: each is one row of an import, as JSON.

{"v": 1, "import": "<public id>", "line": 7, "dataset": "people", "values": {"name": "Ada", "email": "ada@example.org"}}
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from importer.values import ImportProblem, quote

_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class QueuedRow:
    """`values` {column: text as the database reads it}; columns that are not there get their default."""

    run: UUID
    line: int
    dataset: str
    values: dict[str, str]


class BadMessage(ImportProblem):
    """A message that is no row; `run` and `line` say which row it would have been, where that can be told."""

    def __init__(self, reason: str, run: UUID | None = None, line: int | None = None) -> None:
        super().__init__(reason)
        self.run = run
        self.line = line


def read(body: bytes) -> QueuedRow:
    """Raises BadMessage."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise BadMessage("The message is not JSON.") from None
    if not isinstance(message, dict):
        raise BadMessage("The message is not a JSON object.")
    run, line = _run(message.get("import")), _line(message.get("line"))
    if "v" not in message:
        raise BadMessage("The message does not say which version of its form it has.", run, line)
    if message["v"] != 1:
        raise BadMessage(f"The message has the version {quote(str(message['v']))}; 1 is known here.", run, line)
    if run is None:
        raise BadMessage("The message does not say which import it is of.")
    if line is None:
        raise BadMessage("The message does not say which line of the file it is.")
    dataset, values = message.get("dataset"), message.get("values")
    if not isinstance(dataset, str):
        raise BadMessage("The message does not say which dataset it is for.", run, line)
    if not isinstance(values, dict) or not all(isinstance(text, str) for text in values.values()):
        raise BadMessage("The message holds no texts under “values”.", run, line)
    return QueuedRow(run, line, dataset, values)


def _run(value: Any) -> UUID | None:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        return None


def _line(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= _LARGEST else None
