"""What changed between two texts, word by word, with the long stretches that are the same left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from os.path import commonprefix

#: Words that are compared one by one, on each side; what is longer counts as rewritten, because comparing costs their product.
MOST_WORDS = 300
#: Characters that are kept of a stretch that is the same, at each of its ends.
CONTEXT = 60
#: Characters that are shown of a stretch that is not.
MOST_SHOWN = 600


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stayed ("same"), went ("old") or came ("new")."""

    kind: str
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """The way from `before` to `after`; what is long is cut, with “…” where text was left out."""
    found = list(_pieces(_words(before), _words(after)))
    last = len(found) - 1
    return [Piece(piece.kind, _cut(piece, first=place == 0, last=place == last)) for place, piece in enumerate(found)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def _pieces(before: list[str], after: list[str]) -> Iterator[Piece]:
    head = len(commonprefix([before, after]))
    tail = len(commonprefix([before[head:][::-1], after[head:][::-1]]))
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    yield from _piece("same", before[:head])
    if max(len(old), len(new)) > MOST_WORDS:
        yield from _piece("old", old)
        yield from _piece("new", new)
    else:
        for _, a, b, c, d in _runs(old, new):
            if old[a:b] == new[c:d]:
                yield from _piece("same", old[a:b])
            else:
                yield from _piece("old", old[a:b])
                yield from _piece("new", new[c:d])
    yield from _piece("same", before[len(before) - tail :])


def _runs(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _piece(kind: str, words: list[str]) -> Iterator[Piece]:
    if words:
        yield Piece(kind, "".join(words))


def _cut(piece: Piece, first: bool, last: bool) -> str:
    text = piece.text
    if piece.kind != "same":
        return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
    head, tail = (0 if first else CONTEXT), (0 if last else CONTEXT)
    if len(text) <= head + tail + CONTEXT:
        return text
    return f"{text[:head]} … {text[len(text) - tail :]}"
