"""The list of products, narrowed and sorted, at the same speed for terms that nearly every product has and that none has.

On PostgreSQL there are two ways to the first 25 of those that fit: walk along the order and look at each, which is quick
where many fit, or gather all that fit by the search indexes and sort them, which is quick where few do. The planner cannot
tell the two cases apart, so a small sample of the table does (docs/decisions/0011-search-of-any-length.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Upper

from pages.paging import COUNTED, Page, Total, about, page, size_of_table, total
from products.filters import ProductFilter
from products.models import Product

#: The values of `sort`, and what each goes by.
ORDERS = {"sku": ("sku_key",), "name": ("upper_name", "id"), "changed": ("updated_at", "id")}
_TABLE = Product._meta.db_table

#: Rows of the sample. Fewer hits than so many tell no more than that few products fit.
_SAMPLE = 4_000
_HITS = 60
#: Rows along the order that are looked at before the search indexes are asked: 20,000 take some 10 ms. Gathering a row costs
#: as much as walking past three.
_WALK = 20_000
_GATHER = 3
#: More rows than any table has. A query with a LIMIT is planned by itself, whatever is asked of its rows.
_ALL = 10**12


@dataclass(frozen=True)
class Found:
    """One page of the products that fit, how many fit, and the filter they were found by, whose form may have errors."""

    filter: ProductFilter
    page: Page[Product]
    total: Total


def find(data: Mapping[str, str], cursor: str) -> Found:
    """The products that the query `data` asks for (ProductFilter says how), on the page that `cursor` points to."""
    products = Product.objects.annotate(upper_name=Upper("name"))
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

    fitting, indexed = narrowing.qs, _by_trigrams(narrowing.qs, asked["q"])
    with transaction.atomic():
        _remember_every_row()
        hits = _sampled(fitting, size)
        estimate = size * hits // _SAMPLE
        many = hits >= _HITS and estimate > COUNTED
        number = about(estimate, digits=2) if many else total(indexed, narrowed)
        walk = max(_WALK, _GATHER * estimate)

        def fetch(wanted: QuerySet[Product], rows: int) -> list[Product]:
            if number.kind != "exact":
                along = wanted.annotate(description_words=RawSQL(f'"{_TABLE}"."description_words"', []))[:walk]
                walked = _within(along, fitting[:rows])
                if len(walked) == rows:
                    return walked
            return _within(indexed[:_ALL], wanted[:rows]) if number.number else []

        return Found(narrowing, page(products, cursor, by, descending=descending, fetch=fetch), number)


def _remember_every_row() -> None:
    """What an index finds is kept row by row until the transaction ends: with less memory PostgreSQL would remember only
    pages, and ask every row on them by the expression of the index. Five million products have pages for some 25 MB.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")


def _by_trigrams(products: QuerySet[Product], piece: str) -> QuerySet[Product]:
    """The same products, so that the index of trigrams finds them: what holds the piece has its trigrams."""
    if not piece:
        return products
    has = f'product_trigrams("{_TABLE}"."sku", "{_TABLE}"."name") @@ product_trigrams_query(%s)'
    return products.filter(RawSQL(has, [piece], output_field=BooleanField()))


def _sampled(products: QuerySet[Product], size: int) -> int:
    """How many of _SAMPLE rows, from pages all over the table and always the same ones, are among `products`."""
    sql, params = products.values("pk").query.sql_with_params()
    sample = f'SELECT * FROM "{_TABLE}" TABLESAMPLE SYSTEM ({min(100, 100 * _SAMPLE / size)}) REPEATABLE (0)'
    with connection.cursor() as cursor:
        cursor.execute(f'WITH "{_TABLE}" AS ({sample}) SELECT count(*) FROM ({sql}) AS fitting', params)
        return int(cursor.fetchone()[0])


def _within(inner: QuerySet[Product], outer: QuerySet[Product]) -> list[Product]:
    """What `outer` finds when `inner` is all there is, in the order of `inner` where `outer` asks for none."""
    # The name of the table means what WITH says, as a name inside means one outside. PostgreSQL draws the rows of `inner`
    # one by one, and no more than it needs.
    rows, few = inner.query.sql_with_params(), outer.query.sql_with_params()
    return list(Product.objects.raw(f'WITH "{_TABLE}" AS ({rows[0]}) {few[0]}', [*rows[1], *few[1]]))
