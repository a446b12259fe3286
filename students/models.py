"""Answers of students: the worked example of docs/datasets.md."""

from django.db import models
from django.utils import timezone

from importer.values import ByteOrdered


class StudentAnswer(models.Model):
    """What a student answered on a day."""

    name = models.CharField(max_length=200)
    address = models.CharField(max_length=500, blank=True)
    discipline = models.CharField(max_length=100, blank=True)
    cgpa = models.DecimalField("CGPA", max_digits=4, decimal_places=2)
    date_recorded = models.DateField()
    #: The name and the day (students.datasets.answer_key).
    answer_key = ByteOrdered(max_length=650, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["answer_key"], name="student_answer_key_unique")]
        indexes = [models.Index(fields=["date_recorded", "id"], name="student_answer_date")]

    def __str__(self) -> str:
        return f"{self.name}, {self.date_recorded}"
