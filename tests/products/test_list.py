"""The list of products: paging, searching, and what stands there when there is nothing."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from products.models import Product

pytestmark = pytest.mark.django_db

ODD = ["100%-wool", "a_b", "back\\slash", "naïve-é", "mug-😀", "quo'te", "<b>bold</b>", 'say "hi"']


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("anna@example.com", "not-important-9", role="editor"))
    return client


def make(*skus: str, name: str = "Thing") -> None:
    for sku in skus:
        Product.objects.create(sku=sku, name=name, description="Round & red", updated_at=datetime(2026, 1, 2, tzinfo=UTC))


def skus(answer) -> list[str]:
    return [product.sku for product in answer.context["page"].rows]


def test_list_asks_people_to_sign_in(client: Client) -> None:
    assert client.get("/products/").headers["Location"] == "/accounts/login/?next=/products/"


def test_empty_catalogue_leads_to_an_import(reader: Client) -> None:
    page = reader.get("/products/")
    assert page.status_code == 200
    assert "No products yet" in page.text
    assert '<a role="button" href="/imports/new/">Import a file</a>' in page.text


def test_search_that_finds_nothing_says_so(reader: Client) -> None:
    make("a-1")
    page = reader.get("/products/", {"q": "<zzz>"})
    assert "No SKU and no name contains “&lt;zzz&gt;”." in page.text
    assert "No products yet" not in page.text


def test_list_shows_25_products_by_sku_and_leads_both_ways(reader: Client) -> None:
    make(*(f"S-{number:03}" for number in range(60, 0, -1)))
    first = reader.get("/products/")
    assert skus(first) == [f"S-{number:03}" for number in range(1, 26)]
    assert "60 products" in first.text
    second = reader.get("/products/", {"page": first.context["page"].next})
    assert skus(second) == [f"S-{number:03}" for number in range(26, 51)]
    third = reader.get("/products/", {"page": second.context["page"].next})
    assert skus(third) == [f"S-{number:03}" for number in range(51, 61)]
    assert third.context["page"].next == ""
    back = reader.get("/products/", {"page": third.context["page"].previous})
    assert skus(back) == skus(second)
    assert 'rel="prev"' not in first.text
    assert 'rel="next"' not in third.text


@pytest.mark.parametrize("odd", ODD)
def test_odd_skus_are_found_by_all_of_them_and_by_themselves_only(reader: Client, odd: str) -> None:
    make(*ODD, "plain")
    assert skus(reader.get("/products/", {"q": odd})) == [odd]


@pytest.mark.parametrize("mark", ["%", "_", "\\", "😀", "'"])
def test_marks_that_mean_something_to_databases_mean_themselves(reader: Client, mark: str) -> None:
    make(*ODD, "plain")
    assert skus(reader.get("/products/", {"q": mark})) == [sku for sku in ODD if mark in sku]


def test_search_looks_at_sku_and_name_in_any_case_and_not_at_descriptions(reader: Client) -> None:
    make("RED-1", name="Mug")
    make("x-2", name="A Red shelf")
    make("x-3", name="Blue")
    assert skus(reader.get("/products/", {"q": " red "})) == ["RED-1", "x-2"]


def test_links_keep_the_search(reader: Client) -> None:
    make(*(f"a&b-{number:02}" for number in range(30)), "other")
    page = reader.get("/products/", {"q": "a&b"})
    assert "30 products" in page.text
    assert 'href="?q=a%26b&amp;page=' in page.text
    second = reader.get("/products/", {"q": "a&b", "page": page.context["page"].next})
    assert skus(second) == [f"a&b-{number:02}" for number in range(25, 30)]


@pytest.mark.parametrize("bad", ["x\0y", "x" * 256])
def test_search_that_cannot_be_taken_says_why(reader: Client, bad: str) -> None:
    make("x")
    answer = reader.get("/products/", {"q": bad})
    assert answer.status_code == 422
    assert 'class="errorlist"' in answer.text
    assert skus(answer) == []


def test_cursor_that_is_garbage_gives_the_first_page(reader: Client) -> None:
    make("a", "b")
    assert skus(reader.get("/products/", {"page": "garbage:\0💥"})) == ["a", "b"]


def test_htmx_gets_the_list_alone(reader: Client) -> None:
    make("a")
    part = reader.get("/products/", {"q": "a"}, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<section id="products"')
    assert "HX-Request" in part.headers["Vary"]
    whole = reader.get("/products/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<h1>Products</h1>" in whole.text


def test_what_products_say_is_shown_as_text(reader: Client) -> None:
    make("<b>bold</b>", name="<script>alert(1)</script>")
    page = reader.get("/products/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text


def test_total_of_a_big_table_is_about_right_and_of_a_search_exact(reader: Client) -> None:
    make("a-1", "b-1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = 466667 WHERE oid = 'products_product'::regclass")
    assert "About 466,700 products" in reader.get("/products/").text
    found = reader.get("/products/", {"q": "a-"}).text
    assert "1 product\n" in found
    assert "About" not in found


def test_number_of_queries_does_not_grow_with_rows(reader: Client) -> None:
    make("a")
    with CaptureQueriesContext(
        connection,
    ) as one:
        reader.get("/products/")
    make(*(f"b-{number:02}" for number in range(30)))
    with CaptureQueriesContext(connection) as many:
        reader.get("/products/")
    # Session, person, page, statistics, count; and imports that need somebody, for the navigation.
    assert len(one) == len(many) == 7
