"""Made-up answers of students: one for each student and day, and now and then one that corrects an earlier one."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from importer.made_up import pools, scattered

DISCIPLINES = ("Civil", "Mechanical", "Electrical", "Chemical", "Architecture", "Computer Science", "Mathematics", "Physics")
#: One answer in fifty corrects an earlier one.
_AGAIN = 0.02
_FIRST_DAY, _DAYS = date(2020, 1, 6), 1_500


def sample(rows: int, random: Random) -> Iterator[list[str]]:
    """The heading, then `rows` answers, in flat memory however many they are."""
    yield ["name", "address", "discipline", "cgpa", "date_recorded"]
    draw = random.random
    given, family, streets = pools(random, "first_name", "last_name", "street_address")
    students = len(given) * len(family)
    place = scattered(students, random)
    made = 0
    for _ in range(rows):
        number = int(draw() * made) if made and draw() < _AGAIN else made
        lap, at = divmod(number, students)
        at = place(at)
        # Whoever answers again, does so on another day.
        day = _FIRST_DAY + timedelta(days=(at + lap) % _DAYS)
        cgpa = f"{4 + 6 * draw():.{int(draw() * 3)}f}"
        name = f"{given[at % len(given)]} {family[at // len(given)]}"
        yield [name, streets[at % len(streets)], DISCIPLINES[at % len(DISCIPLINES)], cgpa, day.isoformat()]
        made += number == made
