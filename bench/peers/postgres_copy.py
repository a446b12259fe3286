"""django-postgres-copy: `from_csv` as its documentation has it, which drops indexes of fields meanwhile."""

from pathlib import Path

from postgres_copy import CopyManager

from products.models import Product

NAME = "django-postgres-copy"
CLEAN = True


class LoadedProduct(Product):
    objects = CopyManager()

    class Meta:
        proxy = True
        app_label = "products"


def load(path: Path, url: str) -> None:
    columns = ("sku", "sku_key", "name", "description", "active", "created_at", "updated_at")
    LoadedProduct.objects.from_csv(str(path), {name: name for name in columns}, force_not_null=("name", "description"))
