"""Answers of students: the sample, what a row must be, and which answers are the same."""

from datetime import date
from decimal import Decimal

import pytest

from importer.options import Options
from importer.states import State
from students.models import StudentAnswer
from tests.importer.conftest import load, submit
from tests.site import ROOT

__all__ = ["load", "submit"]

HEADING = "name,address,discipline,cgpa,date_recorded\n"


def answers() -> list[tuple[object, ...]]:
    return list(StudentAnswer.objects.order_by("pk").values_list("name", "address", "discipline", "cgpa", "date_recorded"))


def test_sample_is_taken_as_it_stands(load):
    run = load((ROOT / "tests" / "files" / "students.csv").read_bytes(), "students", "students.csv")
    assert (run.state, run.lines, run.created) == (State.DONE, 2, 2)
    assert answers() == [
        ("N0", "12 Any Street", "Civil", Decimal("1.00"), date(2020, 5, 10)),
        ("N1", "99 Other Road", "Mechanical", Decimal("9.00"), date(2020, 5, 11)),
    ]


def test_later_file_corrects_the_answer_of_a_student_and_day(load):
    load(HEADING + "Ann,1 Road,Civil,7,2024-05-10\nAnn,1 Road,Civil,8,2024-05-11\n", "students")
    run = load(HEADING + "ANN,1 Road,Civil,9.5,10-05-2024\n", "students", options=Options(unasked=True))
    assert (run.created, run.updated) == (0, 1)
    assert [(name, cgpa, day) for name, _, _, cgpa, day in answers()] == [
        ("ANN", Decimal("9.50"), date(2024, 5, 10)),
        ("Ann", Decimal("8.00"), date(2024, 5, 11)),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (",1 Road,Civil,7,2024-05-10", "The name is empty."),
        ("Ann,1 Road,Civil,,2024-05-10", "The cgpa is empty."),
        ("Ann,1 Road,Civil,ten,2024-05-10", "“ten” in cgpa is not a number."),
        ("Ann,1 Road,Civil,10.5,2024-05-10", "“10.5” in cgpa is not between 0 and 10."),
        ("Ann,1 Road,Civil,7.123,2024-05-10", "“7.123” in cgpa has more than 2 digits behind the point."),
        ("Ann,1 Road,Civil,7,2024-02-30", "“2024-02-30” is not a date like 2024-12-31 or 31-12-2024."),
        ("Ann,1 Road,Civil,7,05/10/24", "“05/10/24” is not a date like 2024-12-31 or 31-12-2024."),
    ],
)
def test_line_that_cannot_be_taken_says_why(load, line, why):
    run = load(f"{HEADING}{line}\nBen,2 Road,Civil,7,2024-05-10\n", "students")
    assert (run.created, run.rejected) == (1, 1)
    assert run.rejects.get().reason == f"Line 2: {why}"
