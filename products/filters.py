"""How the list of products is narrowed down, and the orders it is shown in."""

import django_filters
from django.db import connection
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from products.models import Product

_ORDERS = {"sku": "SKU", "name": "Name", "changed": "Last change"}


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter carries no type hints
    """`q`: a piece of the SKU or of the name, in any case. `words`: words of the description, the last one perhaps not
    typed to its end. `active`: yes, no, or blank for all. `sort`: an order, with a minus the other way round; the page
    puts it into effect.
    """

    q = django_filters.CharFilter(method="by_piece", label="Search by SKU or name", max_length=Product.NAME_LENGTH)
    words = django_filters.CharFilter(method="by_words", label="Words of the description", max_length=Product.NAME_LENGTH)
    active = django_filters.ChoiceFilter(
        method="by_state", label="State", empty_label="All", choices=[("yes", "Active"), ("no", "Inactive")]
    )
    sort = django_filters.ChoiceFilter(
        method="by_order",
        label="Order",
        empty_label=None,
        choices=[*_ORDERS.items(), *((f"-{name}", f"{title}, backwards") for name, title in _ORDERS.items())],
    )

    class Meta:
        model = Product
        fields: list[str] = []

    def by_piece(self, products: QuerySet[Product], name: str, piece: str) -> QuerySet[Product]:
        return products.filter(Q(sku__icontains=piece) | Q(name__icontains=piece))

    def by_words(self, products: QuerySet[Product], name: str, words: str) -> QuerySet[Product]:
        if connection.vendor == "postgresql":
            # IS TRUE: the index of words is asked by products/search.py, in other words.
            found = '("products_product"."description_words" @@ product_words_query(%s)) IS TRUE'
            return products.filter(RawSQL(found, [words], output_field=BooleanField()))
        for word in words.split():
            products = products.filter(description__icontains=word)
        return products

    def by_state(self, products: QuerySet[Product], name: str, state: str) -> QuerySet[Product]:
        return products.filter(active=state == "yes")

    def by_order(self, products: QuerySet[Product], name: str, order: str) -> QuerySet[Product]:
        return products
