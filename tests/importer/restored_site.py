"""A Loadify whose database and files came out of a backup: it undoes an import, and goes on with another from its file."""

from typing import Any

from tests.elsewhere import tell


def told(undone: str, stopped: str) -> dict[str, Any]:
    from importer import control, runner
    from importer.intake import identity
    from importer.models import Import
    from products.models import Product

    identity.check()
    earlier = Import.objects.get(public_id=undone)
    control.undo(earlier, None)
    runner.run(earlier.pk)
    later = Import.objects.get(public_id=stopped)
    control.resume(later, None)
    runner.run(later.pk)
    runs = Import.objects.order_by("pk").values_list("state", "error")
    return {"states": list(runs), "products": sorted(Product.objects.values_list("sku", "name"))}


if __name__ == "__main__":
    tell(told)
