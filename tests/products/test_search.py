"""Searching the catalogue: the same answer whichever way it is found, for terms of any length and any characters."""

import re
import string
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Upper
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from products import search
from products.filters import ProductFilter
from products.models import Product
from products.search import find

pytestmark = pytest.mark.django_db

# Few letters, so that pieces are found; marks that mean something to SQL, LIKE, tsquery or the index; other alphabets.
LETTERS = st.sampled_from(list(3 * "aAbBxX7 -" + string.punctuation + "éÉßİıжЖ商😀\t\u0301\u00a0"))
TEXTS = st.one_of(st.text(LETTERS, min_size=1, max_size=12), st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)).map(
    lambda text: text.replace("\0", "")
)


def make(*rows: dict[str, object]) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    Product.objects.bulk_create(
        Product(**{"name": "Thing", "updated_at": day + timedelta(days=number), **row}) for number, row in enumerate(rows)
    )


def skus(query: dict[str, str], cursor: str = "") -> list[str]:
    return [product.sku for product in find(query, cursor).page.rows]


def pretend_big(rows: int = 1_000_000) -> None:
    """Have PostgreSQL's statistics say that there are so many products, so that a search takes the ways of big tables."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = %s WHERE oid = 'products_product'::regclass", [rows])


def value(sql: str, *params: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]


# --- the index of trigrams ------------------------------------------------------------------------------------------


class WhatTheIndexLeavesOut(TestCase):
    @settings(max_examples=400, deadline=None)
    @given(sku=TEXTS, name=TEXTS, start=st.integers(0, 11), length=st.integers(1, 6), upper=st.booleans())
    @example(sku="ab\\", name="c", start=2, length=1, upper=False)
    @example(sku="O'b", name="é", start=0, length=1, upper=True)
    def test_trigrams_never_hide_what_holds_the_piece(self, sku: str, name: str, start: int, length: int, upper: bool) -> None:
        for text in (sku, name):
            piece = text[start : start + length]
            piece = piece.upper() if upper else piece
            if piece:
                holds, has = self.asked(sku, name, piece)
                assert has or not holds, (sku, name, piece)

    @settings(max_examples=200, deadline=None)
    @given(sku=TEXTS, name=TEXTS, piece=TEXTS)
    def test_any_piece_can_be_asked_for(self, sku: str, name: str, piece: str) -> None:
        holds, has = self.asked(sku, name, piece)
        assert has or not holds

    def asked(self, sku: str, name: str, piece: str) -> tuple[bool, bool]:
        """Whether SKU or name holds the piece, and whether the index would find it."""
        like = piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT upper(%(sku)s) LIKE upper(%(like)s) OR upper(%(name)s) LIKE upper(%(like)s),
                    product_trigrams(%(sku)s, %(name)s) @@ product_trigrams_query(%(piece)s)""",
                {"sku": sku, "name": name, "piece": piece, "like": f"%{like}%"},
            )
            return cursor.fetchone()


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Ab-1 c.", "abqq1qqcj"),
        ("é.-", "qq303qq211jqq"),
        ("é", "qq303qq211"),
        ("É", "qq303qq211"),
        ("商", "qq345qq225qq206"),
        ("\\", "qq303qq225"),
        ("~", "qq303qq235"),
        ("a\tb", "aqqb"),
        ("Q-q", "q0qqq0"),
        ("Qé", "q0qq303qq211"),
    ],
)
def test_letters_of_any_alphabet_become_ascii(text: str, letters: str) -> None:
    assert value("SELECT product_letters(%s)", text) == letters


@pytest.mark.parametrize("piece", ["7", "q", "qj", "%", "é", "ann", "not there at all"])
def test_pieces_of_any_length_are_looked_up_in_the_index(piece: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = search._indexed(Product.objects.all(), piece, "").explain()
    assert "Bitmap Index Scan on product_trigrams_gin" in plan


@pytest.mark.parametrize(
    ("sku", "piece"), [("t-large", "tl"), ("t-large", "xl"), ("t-large", "lx"), ("jazz-12", "zx"), ("a-j", "qj")]
)
def test_blank_or_hyphen_looks_like_no_letter_to_the_index(sku: str, piece: str) -> None:
    """Each row that only looks like a hit is fetched from the table for nothing; "-l" was thought to be an xl."""
    assert value("SELECT product_trigrams(%s, 'x') @@ product_trigrams_query(%s)", sku, piece) is False


@pytest.mark.parametrize(
    ("words", "looked_up"),
    [
        ("red", "'red':*"),
        ("re", "'re':*"),
        ("red stone", "'red' & 'stone':*"),
        ("red s", "'red':*"),
        ("red big st", "'red' & 'big':*"),
        # What is left without the last word is no word.
        ("& st", "'st':*"),
    ],
)
def test_words_are_looked_up_without_the_one_that_has_barely_begun(words: str, looked_up: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    products = Product.objects.all()
    plan = search._indexed(ProductFilter({"words": words}, products).qs, "", words).explain()
    assert "Bitmap Index Scan on product_words_gin" in plan
    assert re.search(r"Index Cond: \(description_words @@ '(.*)'::tsquery\)", plan)[1].replace("''", "'") == looked_up


@pytest.mark.parametrize("sort", ["sku", "-sku", "name", "-name", "changed", "-changed"])
def test_walk_for_a_piece_reads_the_index_of_the_order_alone(sort: str) -> None:
    """A row of the table is ten times as wide, and the next one of the order lies on another page."""
    order = [f"{'-' if sort.startswith('-') else ''}{name}" for name in search.ORDERS[sort.removeprefix("-")]]
    wanted = Product.objects.annotate(upper_name=Upper("name")).order_by(*order)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        fitting = ProductFilter({"q": "x", "active": "yes"}, Product.objects.all()).qs
        statement, parameters = search._walk(fitting, wanted, 10, 5)
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = str(cursor.fetchall())
    assert "Index Only Scan" in plan


@pytest.mark.django_db(transaction=True)
def test_longest_product_has_room_in_each_index() -> None:
    """The indexes of the orders carry SKU and name; an entry may have 2,704 bytes. ΐ is two bytes and folds to six."""
    for number, letter in enumerate(("😀", "ΐ", "ß", "商")):
        sku, name = letter * (Product.SKU_LENGTH - 1), letter * Product.NAME_LENGTH
        Product.objects.create(sku=f"{number}{sku}", name=name)
    # What cannot be compressed: a different letter each time.
    strange = "".join(chr(0x20000 + 37 * number % 40_000) for number in range(Product.NAME_LENGTH))
    Product.objects.create(sku=strange[: Product.SKU_LENGTH], name=strange)
    assert Product.objects.count() == 5


@pytest.mark.parametrize(
    "function", ["product_trigrams('Ab-1', 'é')", "product_trigrams_query('Ab')", "product_words_query('a')"]
)
def test_functions_work_without_a_search_path_as_in_a_restored_dump(function: str) -> None:
    expected = value(f"SELECT {function}::text")
    value("SELECT set_config('search_path', '', true)")
    assert value(f"SELECT public.{function}::text") == expected


@pytest.mark.django_db(transaction=True)
def test_migration_of_the_indexes_goes_back_and_forth() -> None:
    def made() -> list[object]:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT indexdef FROM pg_indexes WHERE tablename = 'products_product'
                UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'product\\_%%' ORDER BY 1"""
            )
            return [row[0] for row in cursor.fetchall()]

    before = made()
    call_command("migrate", "products", "0003", verbosity=0)
    between = made()
    assert not any("INCLUDE" in str(one) for one in between)
    assert value("SELECT product_letters('a-b')") == "axb"
    call_command("migrate", "products", "0002", verbosity=0)
    earlier = made()
    assert not any("product_trigrams" in str(one) for one in earlier)
    assert sum("gin_trgm_ops" in str(one) for one in earlier) == 2
    call_command("migrate", "products", verbosity=0)
    assert made() == before
    assert sum("product_trigrams" in str(one) for one in before) == 3
    assert sum("INCLUDE" in str(one) for one in before) == 3


# --- narrowing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("round red", ["mug", "plate"]),
        ("RED", ["mug", "plate", "wool"]),
        ("red rou", ["mug", "plate"]),
        ("rou red", []),
        ("ound", []),
        ("wool-jac", ["wool"]),
        ("jacket 3.5", ["wool"]),
        ("blue", []),
        ("red & !round | (", ["mug", "plate"]),
        ("'", []),
        (":*", []),
    ],
)
def test_words_of_the_description_are_all_wanted_and_the_last_may_be_unfinished(words: str, found: list[str]) -> None:
    make(
        {"sku": "mug", "description": "Round & red."},
        {"sku": "plate", "description": "A red one, round"},
        {"sku": "wool", "description": "Red wool-jacket, 3.5 mm"},
    )
    assert skus({"words": words}) == found


class AnyWords(TestCase):
    @settings(max_examples=200, deadline=None)
    @given(words=TEXTS)
    @example(words="a:*b & !(c <-> d) | e''f\\")
    def test_any_words_can_be_asked_for(self, words: str) -> None:
        value("SELECT to_tsvector('simple', %s) @@ product_words_query(%s)", words, words)

    @settings(max_examples=200, deadline=None)
    @given(text=st.lists(st.sampled_from(["red", "round-ish", "3.5", "mm", "o'clock", "a/b", "x_y", "ü"]), min_size=1))
    def test_a_description_is_found_by_its_own_words(self, text: list[str]) -> None:
        described = " ".join(text)
        assert value("SELECT to_tsvector('simple', %s) @@ product_words_query(%s)", described, described)


@pytest.mark.parametrize(("active", "found"), [("", ["a", "b"]), ("yes", ["a"]), ("no", ["b"])])
def test_active_products_inactive_ones_or_all_are_shown(active: str, found: list[str]) -> None:
    make({"sku": "a"}, {"sku": "b", "active": False})
    assert skus({"active": active}) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("", ["A", "b", "C"]),
        ("sku", ["A", "b", "C"]),
        ("-sku", ["C", "b", "A"]),
        ("name", ["C", "A", "b"]),
        ("-name", ["b", "A", "C"]),
        ("changed", ["b", "C", "A"]),
        ("-changed", ["A", "C", "b"]),
    ],
)
def test_products_are_sorted_without_regard_to_case(sort: str, found: list[str]) -> None:
    make({"sku": "b", "name": "pear"}, {"sku": "C", "name": "Apple"}, {"sku": "A", "name": "apple"})
    assert skus({"sort": sort}) == found


@pytest.mark.parametrize("query", [{"sort": "price"}, {"active": "perhaps"}, {"words": "x" * 256}, {"q": "a\0"}])
def test_query_that_cannot_be_taken_finds_nothing_and_says_why(query: dict[str, str]) -> None:
    make({"sku": "a"})
    found = find(query, "")
    assert (found.page.rows, found.total.number) == ([], 0)
    assert set(found.filter.form.errors) == set(query)


# --- the ways through a big table -----------------------------------------------------------------------------------


FEW = {"_HITS": 10**9}
SHORT_WALK = {"_WALK": 1, "_WALK_TO_WORDS": 1}
FAR = {"_HITS": 0, "COUNTED": -1, "_WALK": 3, "_WALK_TO_WORDS": 3}
COSTLY_STEPS = {"_STEP": 10**9, "_STEP_TO_WORDS": 10**9}
WAYS = {
    "few: counted": FEW | SHORT_WALK,
    "few: walked, then counted": FEW,
    "more than are counted: counted": FEW | SHORT_WALK | {"COUNTED": 5},
    "more than are gathered in one go": FEW | SHORT_WALK | {"COUNTED": 5, "_FEW": 5},
    "more than are counted: walked": FEW | {"COUNTED": 5},
    "many: walked": {"_HITS": 0, "COUNTED": -1},
    "many, but far: walked on": FAR | {"_STEP": 0, "_STEP_TO_WORDS": 0, "_NEAR": 30},
    "many, but far: gathered from there": FAR | COSTLY_STEPS | {"_NEAR": 30},
    "many, but fewer than thought: gathered": FAR | COSTLY_STEPS | {"_NEAR": 2},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to the products of a search, by bending the limits that choose it."""
    monkeypatch.setattr(search, "_SAMPLE", 10**7)
    for name, limit in WAYS[request.param].items():
        monkeypatch.setattr(search, name, limit)
        if name == "COUNTED" and limit > 0:
            monkeypatch.setattr("pages.paging.COUNTED", limit)
    pretend_big()
    return request.param


QUERIES = [
    {"q": "x"},
    {"q": "ab"},
    {"q": "ab-1"},
    {"words": "red"},
    {"words": "re", "q": "x"},
    {"active": "no"},
    {"active": "yes"},
]


@pytest.mark.parametrize("sort", ["sku", "-sku", "name", "-name", "changed", "-changed"])
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_way_finds_the_same_pages_forth_and_back(way: str, query: dict[str, str], sort: str) -> None:
    make(
        *(
            {
                "sku": f"{'xX'[number % 2]}-{number:03}",
                "name": ("ab-1", "Ab", "x", "AB-12")[number % 4],
                "description": ("red", "round red", "blue")[number % 3],
                "active": number % 3 > 0,
                "updated_at": datetime(2026, 1, 1 + number % 5, tzinfo=UTC),
            }
            for number in range(90)
        )
    )
    kept = [product for product in Product.objects.all() if fits(product, query)]
    expected = sorted(kept, key=lambda product: key(product, sort.removeprefix("-")), reverse=sort.startswith("-"))
    assert len(expected) > 25
    pages = [find({**query, "sort": sort}, "")]
    while pages[-1].page.next:
        pages.append(find({**query, "sort": sort}, pages[-1].page.next))
    assert [product for found in pages for product in found.page.rows] == expected
    for earlier, later in pairwise(pages):
        assert find({**query, "sort": sort}, later.page.previous).page.rows == earlier.page.rows
    if way.startswith("few"):
        assert (pages[0].total.number, pages[0].total.kind) == (len(expected), "exact")
    else:
        assert {found.total.kind for found in pages} == {"more" if way.startswith("more") else "about"}


def fits(product: Product, query: dict[str, str]) -> bool:
    piece = query.get("q", "")
    named = piece in product.sku.lower() or piece in product.name.lower()
    described = any(word.startswith(query.get("words", "")) for word in product.description.split())
    return (
        named and described and product.active in {"yes": (True,), "no": (False,)}.get(query.get("active", ""), (True, False))
    )


def key(product: Product, order: str) -> tuple[object, ...]:
    return {
        "sku": (product.sku_key,),
        "name": (product.name.upper(), product.pk),
        "changed": (product.updated_at, product.pk),
    }[order]


def test_nothing_is_found_in_a_big_table_without_looking_for_a_page() -> None:
    make({"sku": "a"})
    pretend_big()
    with CaptureQueriesContext(connection) as queries:
        found = find({"q": "qj"}, "")
    assert (found.page.rows, found.page.next, found.total.number, found.total.kind) == ([], "", 0, "exact")
    # Size of the table; sample and count with the page, in a transaction (here a savepoint) with memory of its own.
    assert len(queries) == 6


def test_estimate_of_a_big_table_is_what_the_sample_says(monkeypatch: pytest.MonkeyPatch) -> None:
    make(*({"sku": f"x-{number}", "name": "odd" if number % 2 else "even"} for number in range(200)))
    # All 200 rows are the sample, and they stand for a million.
    monkeypatch.setattr(search, "_SAMPLE", 200)
    monkeypatch.setattr(search, "_sampled", lambda products, size: products.count())
    pretend_big()
    found = find({"q": "odd"}, "")
    assert (found.total.number, found.total.kind) == (500_000, "about")


@pytest.mark.parametrize(("sort", "steps"), [("sku_key", 71), ("-sku_key", 40)])
def test_stretch_ends_at_the_third_hit_of_the_sample(monkeypatch: pytest.MonkeyPatch, sort: str, steps: int) -> None:
    make(*({"sku": f"{number:02}", "name": "odd" if number in (50, 60, 70, 80) else "even"} for number in range(100)))
    monkeypatch.setattr(search, "_SAMPLE", 100)
    products = Product.objects.annotate(upper_name=Upper("name"))
    stretch = search._stretch(ProductFilter({"q": "odd"}, products).qs, products.order_by(sort), ("sku_key",), 100)
    assert stretch and (stretch.steps, stretch.rows.count()) == (steps, steps)


def test_there_is_no_stretch_where_the_sample_has_too_few_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    make(*({"sku": f"{number:02}", "name": "odd" if number in (50, 60) else "even"} for number in range(100)))
    monkeypatch.setattr(search, "_SAMPLE", 100)
    products = Product.objects.annotate(upper_name=Upper("name"))
    assert search._stretch(ProductFilter({"q": "odd"}, products).qs, products.order_by("sku_key"), ("sku_key",), 100) is None


def test_sample_takes_its_share_of_the_rows() -> None:
    make(*({"sku": f"x-{number}", "description": "x " * 600} for number in range(1_000)))
    # 4,000 of a million is one row in 250; pages hold four rows each.
    assert 0 <= search._sampled(Product.objects.all(), 1_000_000) <= 30
    assert search._sampled(Product.objects.all(), 1_000) == 1_000
    half = search._sampled(Product.objects.all(), 8_000)
    assert 350 <= half <= 650
    assert search._sampled(Product.objects.all(), 8_000) == half


@pytest.mark.parametrize("query", [{}, {"q": "x"}, {"words": "red"}, {"active": "yes"}], ids=str)
@pytest.mark.parametrize("big", [False, True])
def test_number_of_queries_is_the_same_for_1_and_25_rows(query: dict[str, str], big: bool) -> None:
    client = Client()
    client.force_login(User.objects.create_user("anna@example.com", "not-important-9", role="editor"))
    make({"sku": "x", "description": "red"})
    if big:
        pretend_big()
    with CaptureQueriesContext(connection) as one:
        client.get("/products/", query)
    make(*({"sku": f"x-{number:02}", "description": "red"} for number in range(24)))
    with CaptureQueriesContext(connection) as many:
        answer = client.get("/products/", query)
    assert len(answer.context["page"].rows) == 25
    # Session, person and what the navigation asks; size of the table; count, unless the size says it all; page. In a big
    # table also a sample, in a transaction (here a savepoint) with memory of its own.
    assert len(one) == len(many) == (11 if query and big else 6 if big else 7)
