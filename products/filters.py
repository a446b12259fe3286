"""How the list of products is narrowed down."""

import django_filters
from django.db.models import Q, QuerySet

from products.models import Product


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter carries no type hints
    """`q`: a piece of the SKU or of the name, in any case. These two are what the trigram indexes hold."""

    q = django_filters.CharFilter(method="search", label="Search by SKU or name", max_length=Product.NAME_LENGTH)

    class Meta:
        model = Product
        fields: list[str] = []

    def search(self, products: QuerySet[Product], name: str, words: str) -> QuerySet[Product]:
        return products.filter(Q(sku__icontains=words) | Q(name__icontains=words))
