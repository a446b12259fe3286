"""Answers of students in the admin: to look at."""

from django.contrib import admin

from pages.admin import ReadOnlyAdmin
from students.models import StudentAnswer


@admin.register(StudentAnswer)
class StudentAnswerAdmin(ReadOnlyAdmin):
    list_display = ("name", "date_recorded", "discipline", "cgpa", "address")
    list_filter = ("date_recorded",)
    search_fields = ("name",)
