"""The list of products, narrowed and sorted, at the same speed for terms that nearly every product has and that none has.

On PostgreSQL there are two ways to the first 25 of those that fit: walk along the order and look at each, which is quick
where many fit, or gather all that fit by the search indexes and sort them, which is quick where few do. The planner cannot
tell the two cases apart, so a small sample of the table does (docs/decisions/0011-search-of-any-length.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import RowNumber, Upper

from pages.paging import COUNTED, Page, Total, about, page, size_of_table, total, up_to
from products.filters import ProductFilter
from products.models import Product

#: The values of `sort`, and what each goes by.
ORDERS = {"sku": ("sku_key",), "name": ("upper_name", "id"), "changed": ("updated_at", "id")}
_TABLE = Product._meta.db_table

#: Rows of the sample. Fewer hits than so many tell no more than that few products fit.
_SAMPLE = 4_000
_HITS = 60
#: So many are gathered in one go, and counted on the way.
_FEW = 100_000
#: Rows along the order that are looked at before anything else is tried, which takes some 10 ms. The index of the order has
#: what a piece is looked for in; the words of a description are in the table alone.
_WALK, _WALK_TO_WORDS = 20_000, 5_000
#: What it costs to walk past a row, where finding one by the search indexes costs 1.
_STEP, _STEP_TO_WORDS = 0.25, 4.0
#: The page should be full where the sample has so many hits: each of them stands for a thousand at four million rows.
_NEAR = 3
#: More rows than any table has. A query with a LIMIT is planned by itself, whatever is asked of its rows.
_ALL = 10**12
#: What the index of each order has, besides the order itself (migration 0004).
_CARRIED = ("id", "sku", "name", "active")

#: A statement and its parameters.
Sql: TypeAlias = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Found:
    """One page of the products that fit, how many fit, and the filter they were found by, whose form may have errors."""

    filter: ProductFilter
    page: Page[Product]
    total: Total


@dataclass(frozen=True)
class Stretch:
    """The beginning of a list that should hold a page of those that fit: the rows in it, and about how many they are."""

    rows: QuerySet[Product]
    steps: int


def find(data: Mapping[str, str], cursor: str) -> Found:
    """The products that the query `data` asks for (ProductFilter says how), on the page that `cursor` points to."""
    products: QuerySet[Product] = Product.objects.annotate(upper_name=Upper("name"))
    narrowing = ProductFilter(data, products)
    if not narrowing.is_valid():
        return Found(narrowing, Page([], "", ""), Total(0, "exact"))
    asked = narrowing.form.cleaned_data
    order = asked["sort"] or "sku"
    by, descending = ORDERS[order.removeprefix("-")], order.startswith("-")
    narrowed = bool(asked["q"] or asked["words"] or asked["active"])
    size = size_of_table(products) if narrowed else 0
    if size <= COUNTED:
        number = total(narrowing.qs, narrowed)
        return Found(narrowing, page(narrowing.qs, cursor, by, descending=descending), number)

    with transaction.atomic():
        _remember_every_row()
        search = _Search(narrowing.qs, _indexed(narrowing.qs, asked["q"], asked["words"]), by, size, bool(asked["words"]))
        found = page(products, cursor, by, descending=descending, fetch=search.fetch)
        return Found(narrowing, found, search.number or Total(0, "exact"))


def _remember_every_row() -> None:
    """What an index finds is kept row by row until the transaction ends: with less memory PostgreSQL would remember only
    pages, and ask every row on them by the expression of the index. Five million products have pages for some 25 MB.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")


def _indexed(products: QuerySet[Product], piece: str, words: str) -> QuerySet[Product]:
    """The same products, so that the search indexes find them."""
    if piece:
        # What holds the piece has its trigrams.
        has = f'product_trigrams("{_TABLE}"."sku", "{_TABLE}"."name") @@ product_trigrams_query(%s)'
        products = products.filter(RawSQL(has, [piece], output_field=BooleanField()))
    if words:
        *whole, last = words.split()
        # One or two letters begin so many words that the others alone are quicker, unless those are none to PostgreSQL.
        asked = " ".join(whole) if whole and len(last) < 3 else words
        known = "CASE numnode(product_words_query(%s)) WHEN 0 THEN product_words_query(%s) ELSE product_words_query(%s) END"
        has = f'"{_TABLE}"."description_words" @@ {known}'
        products = products.filter(RawSQL(has, [asked, words, asked], output_field=BooleanField()))
    return products


# --- the ways -------------------------------------------------------------------------------------------------------


class _Search:
    """Looks for those products of a big table that are `fitting`, which the search indexes know as `indexed`."""

    def __init__(
        self, fitting: QuerySet[Product], indexed: QuerySet[Product], by: tuple[str, ...], size: int, has_words: bool
    ) -> None:
        self.fitting, self.indexed, self.by, self.size = fitting, indexed, by, size
        self.walk, self.step = (_WALK_TO_WORDS, _STEP_TO_WORDS) if has_words else (_WALK, _STEP)
        hits = _sampled(fitting, size)
        self.estimate = size * hits // _SAMPLE
        many = hits >= _HITS and self.estimate > COUNTED
        #: How many they are; few are counted when they are looked for.
        self.number = about(self.estimate, digits=2) if many else None

    def fetch(self, wanted: QuerySet[Product], rows: int) -> list[Product]:
        """The first `rows` of `wanted` that fit."""
        if self.number and not self.number.number:
            return []
        found = _walked(self.fitting, wanted, self.walk, rows) if self.estimate else []
        if len(found) == rows:
            self.number = self.number or total(self.indexed, narrowed=True)
            return found
        if self.number is None or self.number.kind == "exact":
            number, found = _counted(self.indexed, wanted, rows)
            self.number = Total(COUNTED, "more") if number > COUNTED else Total(number, "exact")
            if number <= _FEW:
                return found
        stretch = _stretch(self.fitting, wanted, self.by, self.size)
        if stretch and stretch.steps * self.step <= self.estimate:
            found = _walked(self.fitting, wanted, self.walk + stretch.steps, rows)
        elif stretch:
            found = _gathered(self.indexed, stretch.rows, rows)
        return found if len(found) == rows else _gathered(self.indexed, wanted, rows)


def _counted(indexed: QuerySet[Product], wanted: QuerySet[Product], rows: int) -> tuple[int, list[Product]]:
    """How many fit, counted to one more than _FEW, and the first `rows` of `wanted` among those that were counted."""
    # Kept for both questions, so without the descriptions.
    few = indexed.values(*_CARRIED, "sku_key", "updated_at")[: _FEW + 1]
    first, parameters = _sql(wanted.values("pk")[:rows])
    # There is a row even when none is found.
    both = f"""SELECT counted.number, first.pk FROM (SELECT count(*) AS number FROM "{_TABLE}") AS counted
        LEFT JOIN ({first}) AS first ON true"""
    answer = _ask(_within(_sql(few), (both, parameters)))
    return answer[0][0], list(wanted.filter(pk__in=[pk for _, pk in answer if pk]))


def _walked(fitting: QuerySet[Product], wanted: QuerySet[Product], steps: int, rows: int) -> list[Product]:
    """The first `rows` of `wanted` that fit, when so many of them are among its first `steps`; otherwise none."""
    found = [pk for (pk,) in _ask(_walk(fitting, wanted, steps, rows))]
    return list(wanted.filter(pk__in=found)) if len(found) == rows else []


def _walk(fitting: QuerySet[Product], wanted: QuerySet[Product], steps: int, rows: int) -> Sql:
    # PostgreSQL draws the rows along the order one by one, no more than it needs, and of each no more than is asked.
    along = _with_words(wanted).values(*_CARRIED, "description_words")[:steps]
    return _within(_sql(along), _sql(fitting.values("pk")[:rows]))


def _gathered(indexed: QuerySet[Product], wanted: QuerySet[Product], rows: int) -> list[Product]:
    """The first `rows` of `wanted` that fit, out of all that do."""
    within = (indexed & wanted).order_by()[:_ALL]
    return list(Product.objects.raw(*_within(_sql(within), _sql(wanted[:rows]))))


def _stretch(fitting: QuerySet[Product], wanted: QuerySet[Product], by: tuple[str, ...], size: int) -> Stretch | None:
    """How far along the order of `wanted` the sample has enough of those that fit; None where it has not so many."""
    order = [str(name) for name in wanted.query.order_by]
    ranked = _with_words(wanted).annotate(step=Window(RowNumber(), order_by=order))
    hits = fitting.annotate(step=RawSQL(f'"{_TABLE}"."step"', [])).order_by("step")[_NEAR - 1 : _NEAR]
    found: Iterable[Any] = Product.objects.raw(*_within(_within(_sample(size), _sql(ranked)), _sql(hits)))
    for hit in found:
        to_here = up_to(wanted, by, hit, falling=order[0].startswith("-"))
        return Stretch(wanted.filter(to_here), hit.step * size // _SAMPLE)
    return None


def _sampled(products: QuerySet[Product], size: int) -> int:
    """How many rows of the sample are among `products`."""
    statement, parameters = _within(_sample(size), _sql(products.values("pk")))
    return int(_ask((f"SELECT count(*) FROM ({statement}) AS fitting", parameters))[0][0])


# --- their SQL ------------------------------------------------------------------------------------------------------


def _sample(size: int) -> Sql:
    """_SAMPLE of `size` rows, from pages all over the table and always the same ones."""
    return f'SELECT * FROM "{_TABLE}" TABLESAMPLE SYSTEM ({min(100, 100 * _SAMPLE / size)}) REPEATABLE (0)', ()


def _with_words(products: QuerySet[Product]) -> QuerySet[Product]:
    """The same products with the column that the model does not know."""
    return products.annotate(description_words=RawSQL(f'"{_TABLE}"."description_words"', []))


def _within(inner: Sql, outer: Sql) -> Sql:
    """What `outer` finds when `inner` is all there is, in the order of `inner` where `outer` asks for none."""
    # The name of the table means what WITH says, as a name inside means one outside.
    return f'WITH "{_TABLE}" AS ({inner[0]}) {outer[0]}', (*inner[1], *outer[1])


def _sql(products: QuerySet[Any]) -> Sql:
    statement, parameters = products.query.sql_with_params()
    return statement, tuple(parameters)


def _ask(query: Sql) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(*query)
        return list(cursor.fetchall())
