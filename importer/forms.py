"""Forms of the importer: what a browser sends, checked and given types."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from importer import datasets
from importer.values import quote
from pages.templatetags.figures import size as in_words


def _choices() -> list[tuple[str, str]]:
    return [(dataset.name, dataset.title) for dataset in datasets.all()]


class NewImport(forms.Form):
    """A dataset, and either the id of an upload that came in parts or, without JavaScript, the file itself."""

    dataset = forms.ChoiceField(choices=_choices, label="What is in the file?", initial="products")
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    file = forms.FileField(required=False, allow_empty_file=True, label="Choose a file")

    def clean_file(self) -> "UploadedFile[bytes] | None":
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file and (file.size or 0) > settings.LOADIFY_FORM_LIMIT:
            raise forms.ValidationError(
                f"{quote(file.name or '')} has {in_words(file.size)}. Without JavaScript, files of up to "
                f"{in_words(settings.LOADIFY_FORM_LIMIT)} can be sent; turn it on, and larger ones come in parts."
            )
        return file

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and not data.get("upload") and data.get("file") is None:
            self.add_error("file", "Choose the file to import.")
        return data
