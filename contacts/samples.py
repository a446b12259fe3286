"""Made-up contacts and people for trying Loadify out: numbers and addresses as people write them, some of them twice."""

from collections.abc import Callable, Iterator
from random import Random

from importer.made_up import pools, scattered

#: One contact in fifty has no phone number; one in forty brings an earlier phone or e-mail again, and so does one person.
_PHONELESS, _AGAIN = 0.02, 0.025
_MAILLESS = 0.08
#: Domains that are nobody's (RFC 2606).
_DOMAINS = ("example.com", "example.org", "example.net")

#: First digits of mobile numbers in Armenia; six more follow.
_MOBILE = ("33", "41", "43", "44", "49", "55", "77", "91", "93", "94", "95", "96", "98", "99")
_AT_HOME = (
    "+374 {0} {1}{2}",
    "+374{0}{1}{2}",
    "0{0} {1}{2}",
    "0{0} {1}-{2}",
    "(0{0}) {1}{2}",
    "(+374) {0} {1} {2}",
    "00374{0}{1}{2}",
    # As a spreadsheet writes a number cell.
    "374{0}{1}{2}.0",
)
#: Abroad: the first digits, and how many more follow.
_ABROAD = (("+971 50 ", 7), ("+7 916 ", 7), ("+49 151 ", 8), ("+33 6 ", 8), ("+1 212 ", 7))


def contacts(rows: int, random: Random) -> Iterator[list[str]]:
    """The heading, then `rows` contacts, in flat memory however many they are."""
    yield ["Name", "Phone Number", "Email Address"]
    draw = random.random
    name, phone = _names(random), _phones(random)
    made = 0
    for _ in range(rows):
        full, address = name(made)
        again, odds = draw() < _AGAIN and made > 0, draw()
        earlier = int(draw() * made)
        if odds < _PHONELESS:
            yield [full, "", address]
            continue
        number = phone(earlier if again and odds < 0.5 else made, draw())
        if again and odds >= 0.5:
            address = name(earlier)[1].upper()
        elif draw() < _MAILLESS:
            address = ""
        yield [full, number, address]
        made += 1


def people(rows: int, random: Random) -> Iterator[list[str]]:
    """The heading, then `rows` people; some of them bring an earlier e-mail again, in other case or with blanks."""
    yield ["name", "email"]
    draw = random.random
    name = _names(random)
    made = 0
    for _ in range(rows):
        if draw() < _AGAIN and made:
            full, address = name(int(draw() * made))
            yield [full, f" {address} " if draw() < 0.5 else address.upper()]
        else:
            yield [*name(made)]
            made += 1


def _names(random: Random) -> Callable[[int], tuple[str, str]]:
    """A function from numbers to a name and an e-mail address, which no other number has."""
    given, family = pools(random, "first_name", "last_name")
    place = scattered(len(given) * len(family), random)

    def name(number: int) -> tuple[str, str]:
        lap, rest = divmod(number, len(given) * len(family))
        at = place(rest)
        first, last = given[at % len(given)], family[at // len(given)]
        mark = str(lap + 1) if lap else ""
        return f"{first} {last}", f"{first}.{last}{mark}@{_DOMAINS[at % 3]}".lower()

    return name


def _phones(random: Random) -> Callable[[int, float], str]:
    """A function from numbers to phone numbers, one to one up to some ten millions, in a spelling that goes by a draw."""
    home, abroad = scattered(len(_MOBILE) * 10**6, random), scattered(len(_ABROAD) * 10**7, random)

    def phone(number: int, odds: float) -> str:
        if number % 10 == 9:
            rest, kind = divmod(abroad(number // 10), len(_ABROAD))
            begin, digits = _ABROAD[kind]
            return f"{begin}{rest:0{digits}d}"
        rest, kind = divmod(home(number), len(_MOBILE))
        own = f"{rest:06d}"
        return _AT_HOME[int(odds * len(_AT_HOME))].format(_MOBILE[kind], own[:3], own[3:])

    return phone
