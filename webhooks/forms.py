"""Forms of webhooks: what a browser sends, checked and given types."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from webhooks import addresses
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, Endpoint

ALL, SOME = "all", "some"
#: As browsers write a moment into <input type="datetime-local">.
MINUTES = "%Y-%m-%dT%H:%M"


def _types() -> list[tuple[str, str]]:
    return sorted(EVENT_TYPES.items())


class EndpointForm(forms.Form):
    """A receiver. `cleaned_data["event_types"]` is empty for all types."""

    url = forms.CharField(
        label="URL",
        max_length=2000,
        widget=forms.URLInput(
            attrs={"placeholder": "https://shop.example/hooks", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Loadify sends a POST request to it for every event.",
    )
    name = forms.CharField(
        label="Name", max_length=100, required=False, help_text="What you call it, for example “Web shop”. May be left blank."
    )
    which = forms.ChoiceField(
        label="Events",
        choices=[(ALL, "All events, those of later versions too"), (SOME, "Only these:")],
        widget=forms.RadioSelect,
        initial=ALL,
    )
    event_types = forms.MultipleChoiceField(
        label="Types of events", choices=_types, required=False, widget=forms.CheckboxSelectMultiple
    )

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointForm":
        """The form as it shows a receiver that there is."""
        which = SOME if endpoint.event_types else ALL
        return cls(initial={"url": endpoint.url, "name": endpoint.name, "which": which, "event_types": endpoint.event_types})

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            addresses.check(url)
        except addresses.BadAddress as problem:
            raise forms.ValidationError(str(problem)) from None
        return url

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("which") == ALL:
            data["event_types"] = []
        elif data.get("which") == SOME and not data.get("event_types") and "event_types" not in self.errors:
            self.add_error("event_types", "Choose at least one type, or all events.")
        return data

    def values(self) -> dict[str, Any]:
        """What `endpoints.add` and `endpoints.change` take."""
        return {name: self.cleaned_data[name] for name in ("url", "name", "event_types")}


class ReplayForm(forms.Form):
    since = forms.DateTimeField(
        label="Since",
        input_formats=[MINUTES, "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(format=MINUTES, attrs={"type": "datetime-local"}),
    )

    @classmethod
    def for_endpoint(cls, endpoint: Endpoint) -> "ReplayForm":
        """The form as it begins: since the receiver began to fail, or since yesterday."""
        since = endpoint.failing_since or timezone.now() - timedelta(days=1)
        return cls(initial={"since": since.replace(second=0, microsecond=0)})


class LogFilter(forms.Form):
    """`state`: blank for all deliveries. `before`: an id, to go on where a page ended."""

    state = forms.ChoiceField(required=False, choices=[("", "All"), *Delivery.State.choices])
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
