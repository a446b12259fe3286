"""`manage.py export`: the file where it was wanted, and a sentence for what cannot be done."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from products.models import Product


def export(*words: str) -> str:
    out = io.StringIO()
    call_command("export", *words, stdout=out)
    return out.getvalue()


def test_the_file_is_put_where_it_was_wanted(submit, tmp_path: Path) -> None:
    Product.objects.create(sku="a", name="One")
    said = json.loads(export("products", "--from", "2024-01-01", "--output", str(tmp_path / "a.csv"), "--json"))
    assert (said["state"], said["rows"]) == ("done", 1)
    assert (tmp_path / "a.csv").read_bytes().endswith(b"\r\na,One,,true\r\n")
    assert len((tmp_path / "a.csv").read_bytes()) == said["bytes"]
    export("products", "--output", str(tmp_path / "a.XLSX"))
    assert (tmp_path / "a.XLSX").read_bytes().startswith(b"PK")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["products", "--from", "2024-02-30"], "“2024-02-30” is not a day like 2024-12-31."),
        (
            ["products", "--from", "2024-02-02", "--to", "2024-02-01"],
            "The last day, 2024-02-01, is before the first, 2024-02-02.",
        ),
        (["sweets"], "There is no dataset called “sweets”; there are: .*products"),
        (["products", "--output", "/nowhere/a.csv"], "/nowhere/a.csv cannot be written: No such file or directory."),
    ],
)
def test_what_cannot_be_done_is_said(submit, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        export(*words)
