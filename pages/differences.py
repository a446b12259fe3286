"""What changed between two texts: by sentences, then by words, with the long stretches that are the same left out."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from os.path import commonprefix

#: Sentences, or words, that are compared on each side; more count as rewritten, because comparing costs their product.
MOST = 120
#: Characters that are kept of a stretch that is the same, at each of its ends.
CONTEXT = 60
#: Characters that are shown of a stretch that is not.
MOST_SHOWN = 300
#: Below this ratio of what is the same (0 to 1) a difference in words would be confetti.
ALIKE = 0.5

Split = Callable[[str], list[str]]
_sentences: Split = re.compile(r"[^.!?\n]*[.!?\n]+\s*|[^.!?\n]+").findall
_words: Split = re.compile(r"\w+|\s+|[^\w\s]").findall


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stayed ("same"), went ("old") or came ("new")."""

    kind: str
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """The way from `before` to `after`; what is long is cut, with “…” where text was left out."""
    found = _joined(_pieces(before, after, (_sentences, _words)))
    last = len(found) - 1
    return [Piece(piece.kind, _cut(piece, first=place == 0, last=place == last)) for place, piece in enumerate(found)]


def _pieces(before: str, after: str, splits: Sequence[Split]) -> Iterator[Piece]:
    """Compare by the first of `splits`, and what that finds different by the next."""
    if not splits or not before or not after:
        yield from (Piece(kind, text) for kind, text in (("old", before), ("new", after)) if text)
        return
    old, new = splits[0](before), splits[0](after)
    head = len(commonprefix([old, new]))
    tail = len(commonprefix([old[head:][::-1], new[head:][::-1]]))
    yield Piece("same", "".join(old[:head]))
    yield from _middle(old[head : len(old) - tail], new[head : len(new) - tail], splits[1:])
    yield Piece("same", "".join(old[len(old) - tail :]))


def _middle(old: list[str], new: list[str], finer: Sequence[Split]) -> Iterator[Piece]:
    if max(len(old), len(new)) > MOST:
        yield from _pieces("".join(old), "".join(new), ())
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if not finer and matcher.ratio() < ALIKE:
        yield from _pieces("".join(old), "".join(new), ())
        return
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[a:b]))
        else:
            yield from _pieces("".join(old[a:b]), "".join(new[c:d]), finer)


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].kind == piece.kind:
            found[-1] = Piece(piece.kind, found[-1].text + piece.text)
        elif piece.text:
            found.append(piece)
    return found


def _cut(piece: Piece, first: bool, last: bool) -> str:
    text = piece.text
    if piece.kind != "same":
        return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
    if len(text) <= 3 * CONTEXT:
        return text
    head = "" if first else text[:CONTEXT].rpartition(" ")[0]
    tail = "" if last else text[-CONTEXT:].partition(" ")[2]
    return f"{head} … {tail}"
