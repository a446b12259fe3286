"""Made-up products for trying Loadify out and for measuring it: the same seed gives the same file on every Python."""

import math
from collections.abc import Callable, Iterator
from random import Random

from products import sample_words

# Only Random.random() is promised to give the same numbers in every Python version, so everything here goes by it.

#: One line in fifteen brings a SKU again, in other letter case: 500,000 lines hold 466,667 SKUs.
_BLOCK = 15

_GIVEN = sample_words.GIVEN.split()
_FAMILY = sample_words.FAMILY.split()
_WORDS = sample_words.WORDS.split()
_TITLES = ("Dr. {}", "Mrs. {}", "Prof. {}", "{} Jr.", "{} MD", "{} PhD")


def sample(rows: int, random: Random) -> Iterator[list[str]]:
    """The heading, then `rows` records of name, SKU and description, in flat memory however many they are.

    One record in fifteen, spread over the file, brings an earlier SKU again in other letter case; the others are new.
    """
    yield ["name", "sku", "description"]
    sku = _numbered_skus(random)
    made = again = 0
    for row in range(rows):
        place = row % _BLOCK
        if place == 0:
            # Never the first of a block, so that there is an earlier SKU to bring again; an unfinished block has none.
            again = 1 + int(random.random() * (_BLOCK - 1)) if row + _BLOCK <= rows else _BLOCK
        if place == again:
            text = _other_case(sku(int(random.random() * made)), random)
        else:
            text = sku(made)
            made += 1
        yield [_name(random), text, _description(random)]


def _numbered_skus(random: Random) -> Callable[[int], str]:
    """A function from numbers to SKUs of two to four words, one to one.

    A set of the SKUs made would grow with the file. Instead the number, taken round all combinations of words by a step
    without a common factor with their count, is written in the number system whose digits are the words.
    """
    base = len(_WORDS)
    spaces = [(base**length, _coprime_step(base**length), int(random.random() * base**length)) for length in (2, 3, 4)]

    def sku(number: int) -> str:
        number, kind = divmod(number, len(spaces))
        if number >= spaces[kind][0]:
            # Pairs run out in files of some millions: count the rest down from the far end of the longest ones.
            number, kind = spaces[-1][0] - 1 - number, len(spaces) - 1
        count, step, offset = spaces[kind]
        code = (number * step + offset) % count
        words = []
        for _ in range(kind + 2):
            code, digit = divmod(code, base)
            words.append(_WORDS[digit])
        return "-".join(words)

    return sku


def _coprime_step(count: int) -> int:
    """A number near the golden section of `count`, which scatters evenly, without a common factor with it."""
    step = int(count * 0.6180339887)
    while math.gcd(step, count) != 1:
        step += 1
    return step


def _other_case(sku: str, random: Random) -> str:
    draw = random.random()
    if draw < 0.4:
        return sku.upper()
    if draw < 0.8:
        return sku.title()
    return sku.capitalize()


def _name(random: Random) -> str:
    draw = random.random
    name = f"{_GIVEN[int(draw() * len(_GIVEN))]} {_FAMILY[int(draw() * len(_FAMILY))]}"
    odds = draw()
    return _TITLES[int(odds * 100)].format(name) if odds < 0.06 else name


def _description(random: Random) -> str:
    """Sentences of 100 to 200 characters in all, most of them near 200; some with commas, quotes and line breaks."""
    draw = random.random
    # The shortest leaves room for the end of a word that does not fit.
    length = 112 + int(89 * max(draw(), draw(), draw()))
    words = iter([_WORDS[int(draw() * len(_WORDS))] for _ in range(44)])
    breaks = draw() < 0.6
    text = ""
    while len(text) < length:
        sentence = [next(words) for _ in range(4 + int(draw() * 5))]
        flavour = draw()
        if flavour < 0.1:
            sentence[1] += ","
        elif flavour < 0.13:
            sentence[2] = f'"{sentence[2]}"'
        if text:
            text += "\n" if breaks and draw() < 0.4 else " "
        text += " ".join(sentence).capitalize() + "."
    if len(text) > length:
        text = text[:length].rsplit(maxsplit=1)[0].rstrip(",.") + "."
    return text
