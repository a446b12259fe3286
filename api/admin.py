"""What the API remembers, in the admin: to look at."""

from django.contrib import admin

from api.models import Answer, Calls
from pages.admin import ReadOnlyAdmin


@admin.register(Answer)
class AnswerAdmin(ReadOnlyAdmin):
    note = "Kept for programs that ask the same again. What was answered may hold a secret, and is not shown."
    hidden = ("request", "headers")
    list_display = ("key", "user", "status", "at")
    list_filter = ("at",)
    list_select_related = ("user",)
    search_fields = ("key__exact", "user__email")


@admin.register(Calls)
class CallsAdmin(ReadOnlyAdmin):
    list_display = ("caller", "minute", "number")
    search_fields = ("caller__exact",)
