"""Forms of the importer: what a browser sends, checked and given types."""

from codecs import lookup
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from importer import datasets
from importer.datasets import Column, Dataset
from importer.loaders.choice import can_review
from importer.mapping import Suggestion
from importer.models import Import
from importer.options import Options
from importer.readers.formats import Format
from importer.sought import sought
from importer.values import BadValue, quote, storable
from pages.templatetags.figures import size as in_words


def _choices() -> list[tuple[str, str]]:
    return [(dataset.name, dataset.title) for dataset in datasets.all()]


def _choose_from(field: forms.Field, choices: list[tuple[str, str]]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


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


class KindOfFile(forms.Form):
    """Which layout of a dataset a file has: what was recognised, or nothing as long as that is not known."""

    use_required_attribute = False

    layout = forms.ChoiceField(label="Which kind of file is it?", error_messages={"required": "Choose which kind it is."})

    def __init__(self, dataset: Dataset, recognised: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"layout": recognised})
        kinds = [(layout.name, layout.title) for layout in dataset.layouts]
        _choose_from(self.fields["layout"], kinds if recognised else [("", "— choose —"), *kinds])
        if not dataset.layouts:
            del self.fields["layout"]

    def chosen(self) -> str:
        """The layout's name; "" while there is none, or one that the dataset does not have."""
        return str(self.cleaned_data.get("layout", "")) if self.is_bound and self.is_valid() else ""


class Reading(forms.Form):
    """How a file is read: what was found out, to be changed by a person."""

    use_required_attribute = False

    ENCODINGS = {
        "utf-8": "UTF-8",
        "utf-16-le": "UTF-16",
        "utf-16-be": "UTF-16, big-endian",
        "cp1252": "Windows-1252 (Western Europe)",
        "iso8859-1": "Latin-1 (ISO 8859-1)",
        "iso8859-15": "Latin-9 (ISO 8859-15)",
        "cp1250": "Windows-1250 (Central Europe)",
        "cp1251": "Windows-1251 (Cyrillic)",
    }
    #: By name, because a tab may not survive the way through a browser.
    DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}

    encoding = forms.ChoiceField(label="Characters")
    delimiter = forms.ChoiceField(
        label="Between the cells",
        choices=[("comma", "Comma ,"), ("semicolon", "Semicolon ;"), ("tab", "Tab"), ("bar", "Bar |")],
    )
    sheet = forms.ChoiceField(label="Sheet")
    heading = forms.ChoiceField(
        label="First line", choices=[("yes", "Says what the columns are called"), ("no", "Is data already")]
    )

    def __init__(self, found: Format, sheets: Sequence[str], data: Mapping[str, Any] | None = None) -> None:
        encoding = _codec(found.encoding)
        delimiter = next((name for name, mark in self.DELIMITERS.items() if mark == found.delimiter), "comma")
        initial = {"encoding": encoding, "delimiter": delimiter, "sheet": found.sheet}
        super().__init__(data, initial=initial | {"heading": "yes" if found.heading else "no"})
        self.found = found
        encodings = {encoding: found.encoding.upper()} | self.ENCODINGS
        _choose_from(self.fields["encoding"], list(encodings.items()))
        _choose_from(self.fields["sheet"], [(name, name) for name in sheets])
        for name in ("encoding", "delimiter") if found.kind == "workbook" else ("sheet",):
            del self.fields[name]

    def how(self) -> Format:
        """What was chosen, on top of what was found; only what was found while the form is not valid."""
        if not self.is_valid():
            return self.found
        data: dict[str, Any] = dict(self.cleaned_data)
        data["heading"] = data["heading"] == "yes"
        if "delimiter" in data:
            data["delimiter"] = self.DELIMITERS[data["delimiter"]]
        if data.get("encoding") == _codec(self.found.encoding):
            data["encoding"] = self.found.encoding
        return replace(self.found, **data)


def _codec(name: str) -> str:
    """One name for each encoding, and for UTF-8 with and without its mark."""
    return lookup(name).name.removesuffix("-sig")


class Prepare(forms.Form):
    """Which heading of the file goes into which column, what empty cells do, and how careful the import is."""

    use_required_attribute = False

    mode = forms.ChoiceField(label="Before it lands", choices=Import.Mode.choices, initial=Import.Mode.AUTO)
    deactivate_missing = forms.BooleanField(required=False)
    most_rejects = forms.IntegerField(
        label="Stop when more lines than this are rejected",
        required=False,
        min_value=0,
        max_value=10**9,
        help_text="Leave it empty for no limit.",
        error_messages=dict.fromkeys(("invalid", "min_value"), "Write a whole number of lines, or leave it empty."),
    )

    BLANK = [("clear", "clears the old value"), ("keep", "keeps the old value")]
    ESCAPED = [("go", "were put there by an export, and go"), ("stay", "are part of the text")]

    def __init__(
        self,
        dataset: Dataset,
        headings: Sequence[str],
        suggestion: Suggestion,
        data: Mapping[str, Any] | None = None,
        escaped: bool | None = None,
    ) -> None:
        """`escaped`: whether apostrophes before formulas seem to be of an export; None when there is nothing to ask."""
        super().__init__(data)
        if escaped is not None:
            self.fields["escaped"] = forms.ChoiceField(
                label="Apostrophes before formulas", choices=self.ESCAPED, initial="go" if escaped else "stay"
            )
        self.dataset = dataset
        self.width = len(headings)
        places = [("", "— not in the file —"), *((str(place), _named(text, place)) for place, text in enumerate(headings))]
        for column in dataset.columns:
            self.fields[f"place_{column.name}"] = forms.ChoiceField(
                label=f"Column of the file for {column.name}",
                choices=places,
                required=column.required,
                initial=str(suggestion.places.get(column.name, "")),
                error_messages={"required": f"Choose which column of the file holds the {column.name}."},
            )
            if column.blank_choice:
                self.fields[f"blank_{column.name}"] = forms.ChoiceField(
                    label=f"An empty cell of {column.name}",
                    choices=self.BLANK,
                    initial=suggestion.blank.get(column.name, column.blank),
                )
        if not can_review():
            _choose_from(self.fields["mode"], [(Import.Mode.APPLY.value, Import.Mode.APPLY.label)])
            self.fields["mode"].initial = Import.Mode.APPLY
        if dataset.switch and can_review():
            self.fields["deactivate_missing"].label = f"Make inactive the {dataset.title.lower()} that the file does not have"
        else:
            del self.fields["deactivate_missing"]

    def columns(self) -> Iterator[tuple[Column, forms.BoundField, forms.BoundField | None]]:
        """Each column with its fields, for the page."""
        for column in self.dataset.columns:
            yield column, self[f"place_{column.name}"], self[f"blank_{column.name}"] if column.blank_choice else None

    def places(self) -> dict[str, int]:
        """What is chosen so far, valid or not."""
        chosen = {column.name: str(place.value()) for column, place, _ in self.columns()}
        valid = {str(place) for place in range(self.width)}
        return {name: int(place) for name, place in chosen.items() if place in valid}

    def blank(self) -> dict[str, str]:
        """The same for empty cells."""
        chosen = {column.name: str(blank.value()) for column, _, blank in self.columns() if blank is not None}
        return {name: choice for name, choice in chosen.items() if choice in dict(self.BLANK)}

    def escaped(self) -> bool | None:
        """The same for apostrophes: whether they go; None when nothing is asked."""
        return str(self["escaped"].value()) == "go" if "escaped" in self.fields else None

    def options(self, how: Format, queue: bool = False) -> Options:
        """For `control.submit`, when the form is valid."""
        return Options(
            escaped=self.escaped(),
            format=how.as_json(),
            places=self.places(),
            blank=self.blank(),
            deactivate_missing=self.cleaned_data.get("deactivate_missing", False),
            most_rejects=self.cleaned_data["most_rejects"],
            queue=queue,
        )


def _named(heading: str, place: int) -> str:
    """A heading as a choice; one without text is called by its place."""
    shown = storable(heading).strip()
    return f"{shown[:60]}…" if len(shown) > 60 else shown or f"Column {place + 1} (no name)"


class Decision(forms.Form):
    """What a person makes of a review: the button, which version of it they saw, and what they ticked beside the columns."""

    do = forms.ChoiceField(choices=[(name, name) for name in ("approve", "choose")])
    seen = forms.IntegerField()
    left_out = forms.MultipleChoiceField(required=False)
    deactivate_missing = forms.BooleanField(required=False)

    def __init__(self, run: Import, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = Options.of(run.options)
        decisive = datasets.get(run.dataset).decisive
        names = [name for name in run.checkpoint.get("places", {}) if name not in decisive]
        _choose_from(self.fields["left_out"], [(name, name) for name in names])

    def chosen(self) -> tuple[frozenset[str], bool]:
        """Columns to leave out, and whether rows that the file does not have are switched off."""
        return frozenset(self.cleaned_data["left_out"]), self.cleaned_data["deactivate_missing"]

    def chosen_before(self) -> tuple[frozenset[str], bool]:
        """The same, as the numbers of the review were counted with."""
        return frozenset(self.options.left_out), self.options.deactivate_missing


class EraseForm(forms.Form):
    """Whom to erase: what `erasure` takes."""

    text = forms.CharField(
        label="E-mail address or phone number",
        max_length=320,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "dir": "auto"}),
        error_messages={"required": "Enter an e-mail address or a phone number."},
    )

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        try:
            sought(text)
        except BadValue as problem:
            raise forms.ValidationError(str(problem)) from None
        return text


class CloseForm(forms.Form):
    """Why no new imports are taken: what `maintenance.close` takes."""

    reason = forms.CharField(
        label="What people are told",
        max_length=200,
        required=False,
        help_text="Why, and until when. May be left blank.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "the database is being moved, until 14:00"}),
    )
