"""`python -m tests.webhooks.editing NUMBER SECONDS`: edits a product so often, evenly; prints the longest edit in seconds."""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup()

from products import edits  # noqa: E402
from products.models import Product  # noqa: E402


def main() -> None:
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    product = Product.objects.first() or Product.objects.create(sku="edited", name="", description="")
    longest = 0.0
    for number in range(count):
        began = time.monotonic()
        edits.change(product.pk, {"name": f"number {number} of {os.getpid()}"}, None)
        longest = max(longest, time.monotonic() - began)
        time.sleep(seconds / count)
    print(longest)


if __name__ == "__main__":
    main()
