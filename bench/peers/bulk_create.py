"""Django's bulk_create with update_conflicts, over the last line of each key."""

import csv
from pathlib import Path

from products.models import Product, sku_key

NAME = "Django `bulk_create`"
CLEAN = False
BATCH = 5_000


def load(path: Path, url: str) -> None:
    last = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            last[sku_key(row["sku"])] = row
    products = (
        Product(sku=row["sku"].strip(), sku_key=key, name=row["name"].strip(), description=row["description"])
        for key, row in last.items()
    )
    Product.objects.bulk_create(
        products,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["sku_key"],
        update_fields=["sku", "name", "description", "updated_at"],
    )
