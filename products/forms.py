"""The form of a product: what people type and programs send, checked by the rules that lines of a file are checked by."""

from collections.abc import Mapping
from typing import Any

from django import forms

from importer.values import BadValue
from products.datasets import PRODUCTS
from products.edits import FIELDS
from products.models import Product, sku_key


class CellField(forms.Field):
    """Text that the cleaner of a column takes or refuses, with the sentence it has for a cell of a file."""

    def __init__(self, column: str, **kwargs: Any) -> None:
        self.column = PRODUCTS.column(column)
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> str:
        try:
            return self.column.clean("" if value is None else str(value)) or ""
        except BadValue as problem:
            raise forms.ValidationError(str(problem)) from None


class ProductForm(forms.Form):
    """Takes a mapping with all of FIELDS; texts are text, `active` is a bool or what a browser sends for a tick."""

    sku = CellField(
        "sku",
        label="SKU",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "dir": "auto"}),
    )
    name = CellField("name", label="Name", widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}))
    description = CellField("description", label="Description", widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}))
    active = forms.BooleanField(required=False, label="Active")

    def clean_sku(self) -> str:
        sku: str = self.cleaned_data["sku"]
        if not sku_key(sku):
            raise forms.ValidationError("The SKU is empty.")
        return sku


def values_of(product: Product) -> dict[str, Any]:
    return {name: getattr(product, name) for name in FIELDS}


def typed(posted: Mapping[str, Any], stored: Product | None) -> dict[str, Any]:
    """What a browser sent for the fields of a product, with the line ends that are stored where it only lost those.

    HTML has a browser send every line end as CRLF, and none at all from a field of one line.
    """
    values = {name: posted[name] for name in FIELDS if name in posted}
    for name, value in values.items():
        old = str(getattr(stored, name)) if stored else ""
        if name == "description":
            values[name] = old if _lines(value) == _lines(old) else _lines(value)
        elif name != "active":
            values[name] = old if value == "".join(_lines(old).split("\n")) else value
    return values


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
