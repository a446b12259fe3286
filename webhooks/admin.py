"""Receivers, events and deliveries in the admin: to look at, without secrets."""

from django.contrib import admin
from django.urls import reverse

from pages.admin import ReadOnlyAdmin
from webhooks.addresses import masked_url
from webhooks.models import Attempt, Delivery, Endpoint, Event, Tally


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    note = "Webhooks are looked after on their own pages."
    # The address may hold a key, too.
    hidden = ("secret", "old_secret", "url")
    also = ("address",)
    list_display = ("__str__", "address", "active", "failures", "failing_since", "rests_until", "succeeded_at")
    list_filter = ("active", "created_at")
    search_fields = ("name", "url")

    @admin.display(description="URL")
    def address(self, endpoint: Endpoint) -> str:
        return masked_url(endpoint.url)

    def view_on_site(self, obj: Endpoint) -> str:
        return reverse("webhook", args=[obj.public_id])


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    also = ("text",)
    list_display = ("message_id", "type", "at")
    list_filter = ("at",)
    search_fields = ("message_id__exact",)

    @admin.display(description="Body")
    def text(self, event: Event) -> str:
        return bytes(event.body).decode(errors="replace")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    note = "Deliveries are sent again on the pages of webhooks."
    list_display = ("id", "endpoint", "event", "state", "tries", "next_at", "finished_at")
    list_filter = ("state", "endpoint")
    list_select_related = ("endpoint", "event")
    search_fields = ("event__message_id__exact",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("at", "url", "number", "status", "seconds", "error")
    search_fields = ("delivery__event__message_id__exact",)


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ("hour", "endpoint", "delivered", "failed")
    list_filter = ("endpoint",)
    list_select_related = ("endpoint",)
