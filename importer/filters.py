"""Narrows the history of imports: by what they are at, by dataset, to one's own."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from accounts.models import User
from importer import datasets
from importer.models import Import
from importer.states import FINAL, NEEDS_SOMEBODY


class HistoryForm(forms.Form):
    """Every field may be blank; what an address says that no field knows narrows nothing."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), ("needs", "Needs you"), ("running", "Running"), ("ended", "Ended")],
    )
    dataset = forms.ChoiceField(label="Dataset", required=False)
    mine = forms.BooleanField(label="Only mine", required=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        choices = [("", "Any"), *((dataset.name, dataset.title) for dataset in datasets.all())]
        self.fields["dataset"].choices = choices  # type: ignore[attr-defined]

    def narrow(self, runs: QuerySet[Import], person: User) -> QuerySet[Import]:
        self.is_valid()
        asked = self.cleaned_data
        mine = Q(owner=person)
        if asked.get("state") == "needs":
            runs = runs.filter(Q() if person.is_staff else mine, state__in=NEEDS_SOMEBODY)
        elif asked.get("state") == "running":
            runs = runs.exclude(state__in=FINAL | NEEDS_SOMEBODY)
        elif asked.get("state") == "ended":
            runs = runs.filter(state__in=FINAL)
        if asked.get("dataset"):
            runs = runs.filter(dataset=asked["dataset"])
        return runs.filter(mine) if asked.get("mine") else runs

    def query(self) -> dict[str, str]:
        """What narrows, for the addresses of other pages of the list; after `narrow`."""
        return {name: "1" if value is True else value for name, value in self.cleaned_data.items() if value}
