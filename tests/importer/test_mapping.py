"""Which cell goes into which column: names, aliases, what is remembered, and when there is nothing to ask."""

import pytest

from importer import mapping, models
from importer.mapping import Suggestion
from products.datasets import PRODUCTS

HEADINGS = ["Description", " SKU ", "title", "colour"]


def test_columns_are_matched_by_name_and_alias_in_any_case_and_order() -> None:
    assert mapping.match(PRODUCTS, HEADINGS) == {"description": 0, "sku": 1, "name": 2}
    assert mapping.match(PRODUCTS, ["\ufeffArticle Number", "ENABLED"]) == {"sku": 0, "active": 1}
    assert mapping.match(PRODUCTS, ["is_active", "Article\n Number", "PRODUCT__Name", "\u200edescription"]) == {
        "active": 0,
        "sku": 1,
        "name": 2,
        "description": 3,
    }


def test_heading_that_stands_twice_is_left_to_a_person() -> None:
    assert mapping.match(PRODUCTS, ["sku", "name", "article number"]) == {"name": 1}


def test_missing_are_only_the_needed_columns() -> None:
    assert Suggestion({"sku": 0}).missing(PRODUCTS) == ["name", "description"]


@pytest.mark.parametrize(
    ("headings", "suggestion", "perfect"),
    [
        (["sku", "name", "description"], Suggestion({"sku": 0, "name": 1, "description": 2}), True),
        (["name", "sku", "description"], Suggestion({"sku": 1, "name": 0, "description": 2}, remembered=True), True),
        (["sku", "name", "description"], Suggestion({"sku": 0, "name": 2, "description": 1}, remembered=True), False),
        (["sku", "name", "description"], Suggestion({"sku": 0, "name": 1, "description": 2}, {"name": "keep"}), False),
        (["sku", "name", "description"], Suggestion({"sku": 0, "name": 1, "description": 2}, {"name": "clear"}), True),
        (["sku", "name"], Suggestion({"sku": 0, "name": 1}), False),
        (["sku", "name", "description", "x"], Suggestion({"sku": 0, "name": 1, "description": 2}), False),
    ],
)
def test_perfect_is_what_leaves_nothing_to_ask(headings: list[str], suggestion: Suggestion, perfect: bool) -> None:
    assert mapping.is_perfect(PRODUCTS, headings, suggestion) is perfect


@pytest.mark.parametrize(
    ("first", "data"),
    [
        (["A-1", "Mug", "Red"], True),
        (["Artikel", "Bezeichnung", "Text"], False),
        (["sku", "1"], False),
        (["Mug", ""], True),
    ],
)
def test_first_line_looks_like_data(first: list[str], data: bool) -> None:
    assert mapping.looks_like_data(PRODUCTS, first) is data


@pytest.mark.django_db
def test_mapping_is_remembered_for_the_same_headings_in_any_order() -> None:
    mapping.remember(PRODUCTS, ["Nr", "Was", "Rest"], {"sku": 0, "name": 1}, {"name": "keep"})
    assert mapping.suggest(PRODUCTS, ["rest", " NR", "Was"]) == Suggestion({"sku": 1, "name": 2}, {"name": "keep"}, True)
    assert mapping.suggest(PRODUCTS, ["Nr", "Was"]) == Suggestion({})
    mapping.remember(PRODUCTS, ["Was", "Nr", "Rest"], {"sku": 0}, {})
    assert models.Mapping.objects.count() == 1
    assert mapping.suggest(PRODUCTS, ["Nr", "Was", "Rest"]) == Suggestion({"sku": 1}, {}, True)


@pytest.mark.django_db
def test_headings_that_are_alike_are_told_apart_by_their_order() -> None:
    mapping.remember(PRODUCTS, ["x", "x", "x"], {"sku": 1, "name": 2}, {})
    assert mapping.suggest(PRODUCTS, ["x", "x", "x"]).places == {"sku": 1, "name": 2}


@pytest.mark.django_db
def test_column_that_the_dataset_has_no_more_is_forgotten() -> None:
    mapping.remember(PRODUCTS, ["Nr", "Was"], {"sku": 0, "price": 1}, {"price": "keep"})
    assert mapping.suggest(PRODUCTS, ["Nr", "Was"]) == Suggestion({"sku": 0}, {}, True)
