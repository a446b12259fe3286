"""Answers of students as a dataset: one for each student and day; a later file corrects an earlier one."""

from decimal import Decimal

from importer.datasets import Column, Dataset, Key, register
from importer.values import Day, Number, Text, fold
from students.models import StudentAnswer


def answer_key(name: str, date_recorded: str) -> str:
    """What makes two answers the same: the student's name without regard to case, and the day."""
    return f"{fold(name)} {date_recorded}"


STUDENTS = register(
    Dataset(
        name="students",
        title="Student answers",
        model=StudentAnswer,
        key=Key(column="name", field="answer_key", fold=answer_key, more=("date_recorded",)),
        columns=(
            Column("name", Text("name", 200, required=True, trim=True), blank="never", blank_choice=False),
            Column("address", Text("address", 500, trim=True)),
            Column("discipline", Text("discipline", 100, trim=True)),
            Column("cgpa", Number("cgpa", Decimal(0), Decimal(10), places=2), blank="never", blank_choice=False, title="CGPA"),
            Column("date_recorded", Day("date recorded"), blank="never", blank_choice=False),
        ),
        date_field="date_recorded",
    )
)
