"""`python -m bench.cursors`: for each order of the list of products a cursor in the middle, printed as one JSON object."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup()

# The models can only be imported after Django is set up.
from django.db.models.functions import Upper  # noqa: E402

from pages.paging import cursor_at  # noqa: E402
from products.models import Product  # noqa: E402
from products.search import ORDERS  # noqa: E402


def main() -> None:
    products = Product.objects.annotate(upper_name=Upper("name"))
    middle = products.count() // 2
    cursors = {}
    for name, by in ORDERS.items():
        row = products.order_by(*by)[middle]
        for sign, descending in (("", False), ("-", True)):
            cursors[sign + name] = cursor_at(products, row, by, descending=descending)
    print(json.dumps(cursors))


if __name__ == "__main__":
    main()
