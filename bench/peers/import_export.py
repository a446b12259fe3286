"""django-import-export with the settings its documentation gives for bulk imports; straight in, without its dry run."""

import csv
from pathlib import Path

from import_export import resources
from import_export.instance_loaders import CachedInstanceLoader
from tablib import Dataset

from products.models import Product

NAME = "django-import-export, `use_bulk`"
CLEAN = True
#: It takes so much longer that it runs in the first round only.
ONCE = True


class Products(resources.ModelResource):
    class Meta:
        model = Product
        fields = ("sku", "sku_key", "name", "description")
        import_id_fields = ("sku_key",)
        instance_loader_class = CachedInstanceLoader
        use_bulk = True
        batch_size = 5_000
        skip_diff = True
        skip_unchanged = False
        report_skipped = False


def load(path: Path, url: str) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        data = Dataset(headers=next(rows))
        data.extend(rows)
    Products().import_data(data, dry_run=False, raise_errors=True, use_transactions=True)
