"""Products as a dataset: what a catalogue file means."""

from importer.datasets import Column, Dataset, Key, register
from importer.values import Flag, Text
from products.models import Product, sku_key
from products.samples import sample

PRODUCTS = register(
    Dataset(
        name="products",
        title="Products",
        model=Product,
        key=Key(column="sku", field="sku_key", fold=sku_key),
        columns=(
            Column(
                "sku",
                Text("SKU", Product.SKU_LENGTH, required=True, trim=True),
                aliases=("product sku", "article number"),
                blank="never",
                blank_choice=False,
                title="SKU",
            ),
            Column("name", Text("name", Product.NAME_LENGTH, trim=True), aliases=("product name", "title")),
            Column("description", Text("description", Product.DESCRIPTION_LENGTH), aliases=("product description",)),
            Column(
                "active", Flag("active"), aliases=("is active", "enabled"), required=False, blank="keep", blank_choice=False
            ),
        ),
        switch="active",
        page="products",
        pages=(("product-edits", "Latest edits"),),
        sample=sample,
    )
)
