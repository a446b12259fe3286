"""Paging by keyset: every row once, in order, both ways, whatever the cursor."""

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Upper
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from pages import paging
from products.models import Product, sku_key

# Without NUL and surrogates, which the database cannot hold.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
KEYS = TEXTS.map(sku_key).filter(lambda key: sku_key(key) == key)


def make(skus: list[str]) -> None:
    Product.objects.bulk_create(Product(sku=sku, name="Thing") for sku in skus)


def walk(by: tuple[str, ...], size: int, cursor: str = "", way: str = "next") -> list[paging.Page[Product]]:
    """Every page from `cursor` on, by the links of the pages."""
    found = [paging.page(Product.objects.all(), cursor, by, size)]
    while cursor := getattr(found[-1], way):
        found.append(paging.page(Product.objects.all(), cursor, by, size))
        assert len(found) < 100
    return found


class EveryRowOnce(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(keys=st.sets(KEYS, max_size=20), size=st.integers(1, 7))
    def test_pages_forward_and_back_hold_every_row_once_in_order(self, keys: set[str], size: int) -> None:
        make(list(keys))
        forward = walk(("sku_key",), size)
        # The column compares bytes, and UTF-8 keeps the order of code points.
        assert [row.sku_key for page in forward for row in page.rows] == sorted(keys)
        assert len(forward) == max(1, math.ceil(len(keys) / size))
        assert forward[0].previous == ""
        assert forward[-1].next == ""
        for earlier, later in pairwise(forward):
            back = paging.page(Product.objects.all(), later.previous, ("sku_key",), size)
            assert back.rows == earlier.rows
            assert paging.page(Product.objects.all(), back.next, ("sku_key",), size).rows == later.rows

    @settings(max_examples=30, deadline=None)
    @given(
        rows=st.dictionaries(KEYS, st.tuples(st.booleans(), st.sampled_from(["a", "b", ""])), max_size=15),
        size=st.integers(1, 4),
    )
    def test_three_columns_order_together(self, rows: dict[str, tuple[bool, str]], size: int) -> None:
        Product.objects.bulk_create(Product(sku=key, active=active, name=name) for key, (active, name) in rows.items())
        pages = walk(("active", "name", "sku_key"), size)
        found = [(row.active, row.name, row.sku_key) for page in pages for row in page.rows]
        assert found == sorted((active, name, key) for key, (active, name) in rows.items())

    @settings(max_examples=60, deadline=None)
    @given(cursor=st.text(max_size=60))
    def test_cursor_that_was_made_up_gives_the_first_page(self, cursor: str) -> None:
        make(["a", "b", "c"])
        assert [row.sku for row in paging.page(Product.objects.all(), cursor, ("sku_key",), 2).rows] == ["a", "b"]


@pytest.mark.django_db
def test_cursor_of_another_list_gives_the_first_page() -> None:
    make(["a", "b", "c", "d"])
    by_id = paging.page(Product.objects.all(), "", ("id",), 2).next
    assert [row.sku for row in paging.page(Product.objects.all(), by_id, ("sku_key",), 2).rows] == ["a", "b"]


@pytest.mark.django_db
def test_cursor_of_the_other_direction_gives_the_first_page() -> None:
    make(["a", "b", "c", "d"])
    rising = paging.page(Product.objects.all(), "", ("sku_key",), 2).next
    falling = paging.page(Product.objects.all(), rising, ("sku_key",), 1, descending=True)
    assert [row.sku for row in falling.rows] == ["d"]


@pytest.mark.django_db
def test_falling_order_leads_forth_and_back() -> None:
    make(["a", "b", "c", "d", "e"])

    def at(cursor: str) -> paging.Page[Product]:
        return paging.page(Product.objects.all(), cursor, ("sku_key",), 2, descending=True)

    second = at(at("").next)
    assert [row.sku for row in second.rows] == ["c", "b"]
    assert [row.sku for row in at(second.next).rows] == ["a"]
    assert [row.sku for row in at(second.previous).rows] == ["e", "d"]


@pytest.mark.django_db
def test_annotations_order_a_list_and_hold_its_place() -> None:
    Product.objects.bulk_create(Product(sku=sku, name=name) for sku, name in [("1", "b"), ("2", "A"), ("3", "B"), ("4", "a")])
    rows, by = Product.objects.annotate(upper_name=Upper("name")), ("upper_name", "id")
    first = paging.page(rows, "", by, 3)
    assert [row.sku for row in first.rows] == ["2", "4", "1"]
    assert [row.sku for row in paging.page(rows, first.next, by, 3).rows] == ["3"]
    assert paging.page(rows, paging.cursor_at(rows, first.rows[0], by), by, 3).rows[0].sku == "4"


@pytest.mark.django_db
def test_place_among_equal_values_is_found_in_the_index() -> None:
    make([f"s-{number:03}" for number in range(200)])
    Product.objects.update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    by = ("updated_at", "id")
    cursor = paging.page(Product.objects.all(), "", by, 100).next
    plans: list[str] = []

    def explained(rows: QuerySet[Product], number: int) -> list[Product]:
        plans.append(rows[:number].explain())
        return paging.first(rows, number)

    with connection.cursor() as settings_of_planner:
        settings_of_planner.execute("SET LOCAL enable_seqscan = off")
        settings_of_planner.execute("SET LOCAL enable_sort = off")
    paging.page(Product.objects.all(), cursor, by, 2, fetch=explained)
    assert "Index Cond: (ROW(updated_at, id) > ROW(" in plans[0]


@pytest.mark.django_db
def test_cursor_that_was_changed_gives_the_first_page() -> None:
    make(["a", "b", "c", "d"])
    cursor = paging.page(Product.objects.all(), "", ("sku_key",), 2).next
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert [row.sku for row in paging.page(Product.objects.all(), changed, ("sku_key",), 2).rows] == ["a", "b"]


@pytest.mark.django_db
def test_numbers_and_times_are_places_too() -> None:
    make(["c", "a", "b"])
    pages = walk(("updated_at", "id"), 1)
    assert [row.sku for page in pages for row in page.rows] == ["c", "a", "b"]


@pytest.mark.django_db
def test_page_back_that_would_be_short_is_the_first_page() -> None:
    make(["b", "c", "d"])
    second = paging.page(Product.objects.all(), paging.page(Product.objects.all(), "", ("sku_key",), 2).next, ("sku_key",), 2)
    make(["a"])
    Product.objects.filter(sku="b").delete()
    Product.objects.filter(sku="c").delete()
    back = paging.page(Product.objects.all(), second.previous, ("sku_key",), 2)
    assert [row.sku for row in back.rows] == ["a", "d"]
    assert (back.previous, back.next) == ("", "")


@pytest.mark.django_db
def test_page_whose_rows_are_gone_is_the_first_page() -> None:
    make(["a", "b", "c"])
    cursor = paging.page(Product.objects.all(), "", ("sku_key",), 2).next
    Product.objects.filter(sku="c").delete()
    assert [row.sku for row in paging.page(Product.objects.all(), cursor, ("sku_key",), 2).rows] == ["a", "b"]


def pretend_statistics(rows: int) -> None:
    """Write into PostgreSQL's statistics how many products there are."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = %s WHERE oid = 'products_product'::regclass", [rows])


@pytest.mark.django_db
@pytest.mark.parametrize(("estimate", "number"), [(466_667, 466_700), (10_004, 10_000), (5_123_456, 5_123_000)])
def test_total_of_a_big_table_is_about_right(estimate: int, number: int) -> None:
    pretend_statistics(estimate)
    assert paging.total(Product.objects.all(), narrowed=False) == paging.Total(number, "about")


@pytest.mark.django_db
def test_total_of_a_small_table_is_exact() -> None:
    make(["a", "b", "c"])
    for estimate in (-1, 0, 9_000):
        pretend_statistics(estimate)
        assert paging.total(Product.objects.all(), narrowed=False) == paging.Total(3, "exact")


@pytest.mark.django_db
def test_total_of_what_a_search_found_stops_counting(monkeypatch) -> None:
    make(["a", "b", "c"])
    pretend_statistics(466_667)
    assert paging.total(Product.objects.all(), narrowed=True) == paging.Total(3, "exact")
    monkeypatch.setattr(paging, "COUNTED", 2)
    assert paging.total(Product.objects.all(), narrowed=True) == paging.Total(2, "more")
