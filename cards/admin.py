"""Reports about cards in the admin: to look at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from cards.cleaners import card_id
from cards.models import CardEvent
from pages.admin import ReadOnlyAdmin


@admin.register(CardEvent)
class CardEventAdmin(ReadOnlyAdmin):
    note = "Reports come by imports. The search is for a whole card ID."
    list_display = ("card_id", "stage", "at", "phone", "comment", "reference")
    list_filter = ("stage",)
    search_fields = ("card_id__exact",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CardEvent], search_term: str
    ) -> tuple[QuerySet[CardEvent], bool]:
        """Any spelling of an id finds it."""
        return (queryset.filter(card_id=card_id(search_term)) if search_term else queryset), False

    def view_on_site(self, obj: CardEvent) -> str:
        return reverse("card", args=[obj.card_id])
