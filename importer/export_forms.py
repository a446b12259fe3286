"""The form of a new export."""

from typing import Any

from django import forms

from importer import datasets
from importer.export_rows import ExportRows
from importer.models import Export
from pages.paging import Total, total


def _choices() -> list[tuple[str, str]]:
    return [(dataset.name, dataset.title) for dataset in datasets.all()]


class NewExport(forms.Form):
    """What to export, from which day to which, and as what."""

    use_required_attribute = False

    dataset = forms.ChoiceField(choices=_choices, label="What to export")
    since = forms.DateField(label="From", required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    until = forms.DateField(
        label="To",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="Both days are included. Leave them empty for no limit.",
    )
    format = forms.ChoiceField(label="File", choices=Export.Format.choices, initial=Export.Format.CSV)
    raw = forms.BooleanField(
        label="Leave formulas as they are",
        required=False,
        help_text="Else a cell that a spreadsheet would run is marked as text; an import takes the mark off again.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", f"The last day, {until}, is before the first, {since}.")
        return data

    def estimate(self) -> Total | None:
        """About how many rows that are, as far as that is quickly told; None while the form is not valid."""
        if not self.is_valid():
            return None
        data = self.cleaned_data
        rows = ExportRows(datasets.get(data["dataset"]), data["since"], data["until"], escape=False).rows()
        return total(rows, narrowed=bool(data["since"] or data["until"]))
