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
        about="A product that is there already gets the values of the file; if an SKU comes twice, its last line wins.",
        columns=(
            Column(
                "sku",
                Text("SKU", Product.SKU_LENGTH, required=True, trim=True),
                aliases=("product sku", "article number"),
                blank="never",
                blank_choice=False,
                about="What a product is known by, up to 100 characters. Upper and lower case are the same.",
                title="SKU",
            ),
            Column(
                "name",
                Text("name", Product.NAME_LENGTH, trim=True),
                aliases=("product name", "title"),
                about="Up to 255 characters.",
            ),
            Column(
                "description",
                Text("description", Product.DESCRIPTION_LENGTH),
                aliases=("product description",),
                about="Any text; put it in quotation marks if it holds commas or line breaks.",
            ),
            Column(
                "active",
                Flag("active"),
                aliases=("is active", "enabled"),
                required=False,
                blank="keep",
                blank_choice=False,
                about="True or false. Without this column new products are active, and the others stay as they are.",
            ),
        ),
        switch="active",
        page="products",
        pages=(("product-edits", "Latest edits"),),
        sample=sample,
    )
)
