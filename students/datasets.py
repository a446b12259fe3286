"""Answers of students as a dataset: one for each student and day; a later file corrects an earlier one."""

from decimal import Decimal

from importer.datasets import Column, Dataset, Key, register
from importer.values import Day, Number, Text, fold
from students.models import StudentAnswer
from students.samples import sample


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
            Column(
                "name",
                Text("name", 200, required=True, trim=True),
                blank="never",
                blank_choice=False,
                about="Up to 200 characters. Upper and lower case are the same.",
            ),
            Column("address", Text("address", 500, trim=True), about="Up to 500 characters; may be blank."),
            Column("discipline", Text("discipline", 100, trim=True), about="Up to 100 characters; may be blank."),
            Column(
                "cgpa",
                Number("cgpa", Decimal(0), Decimal(10), places=2),
                blank="never",
                blank_choice=False,
                about="A number from 0 to 10 with up to two digits behind the point.",
                title="CGPA",
            ),
            Column(
                "date_recorded",
                Day("date recorded"),
                blank="never",
                blank_choice=False,
                about="A day such as 2024-12-31 or 31-12-2024.",
            ),
        ),
        about="One answer for each student and day; a later file corrects an earlier one.",
        date_field="date_recorded",
        sample=sample,
    )
)
