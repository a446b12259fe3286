"""The form of a product: the rules of the importer, and what browsers do to text."""

from typing import Any

import pytest

from products.forms import ProductForm, typed
from products.models import Product

GOOD = {"sku": "Mug-1", "name": "Mug", "description": "Red", "active": True}


def errors(**values: Any) -> dict[str, list[str]]:
    return dict(ProductForm(GOOD | values).errors)


def test_good_values_come_out_clean() -> None:
    form = ProductForm({"sku": " Mug-1 ", "name": " Mug ", "description": " as it is ", "active": False})
    assert form.is_valid()
    assert form.cleaned_data == {"sku": "Mug-1", "name": "Mug", "description": " as it is ", "active": False}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("sku", "", "The SKU is empty."),
        ("sku", " \t", "The SKU is empty."),
        ("sku", "\u200b", "The SKU is empty."),
        ("sku", "x" * 101, "The SKU is 101 characters long, 100 are allowed: “" + "x" * 40 + "…”."),
        ("name", "x" * 256, "The name is 256 characters long, 255 are allowed: “" + "x" * 40 + "…”."),
        ("name", "a\0b", "The name holds a NUL byte, which no database text can hold: “a·b”."),
        ("description", "x" * 50_001, "The description is 50,001 characters long, 50,000 are allowed: “" + "x" * 40 + "…”."),
        ("description", "\udcff", "The description is not UTF-8 text: “?”."),
    ],
)
def test_bad_value_gets_the_sentence_that_a_line_of_a_file_gets(field: str, value: str, sentence: str) -> None:
    assert errors(**{field: value}) == {field: [sentence]}


@pytest.mark.parametrize("sku", ["x" * 100, "😀" * 100, "a/b%c#d?e&f\"g'h", "<b>", "شكرا", "İ", "日本"])
def test_sku_may_hold_any_printable_character(sku: str) -> None:
    form = ProductForm(GOOD | {"sku": sku})
    assert form.is_valid()
    assert form.cleaned_data["sku"] == sku


@pytest.mark.parametrize("stored", ["a\r\nb\r\n", "a\nb\n", "a\rb\r", "a\n\rb", "\r\n\na"])
def test_description_that_differs_in_line_ends_alone_stays_as_it_is_stored(stored: str) -> None:
    sent = stored.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert typed({"description": sent}, Product(description=stored)) == {"description": stored}


def test_description_that_was_changed_gets_plain_line_ends() -> None:
    assert typed({"description": "a\r\nc"}, Product(description="a\r\nb")) == {"description": "a\nc"}
    assert typed({"description": "a\r\nc"}, None) == {"description": "a\nc"}


def test_line_ends_that_a_field_of_one_line_cannot_show_are_kept() -> None:
    stored = Product(sku="A\nB", name="two\r\nlines")
    assert typed({"sku": "AB", "name": "twolines"}, stored) == {"sku": "A\nB", "name": "two\r\nlines"}
    assert typed({"sku": "ABC", "name": "two lines"}, stored) == {"sku": "ABC", "name": "two lines"}
