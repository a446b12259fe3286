"""What docs/operations.md says of backup and restore: the database first, then the files, and all goes on from there."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from importer import control
from importer.models import Import
from loadify.servers import _postgres_binary
from products.models import Product
from tests.elsewhere import told_by

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = "sku,name,description\n"


@pytest.fixture
def restored():
    """The address of an empty database beside that of the tests."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE restored")
    yield urlsplit(settings.DATABASE_URL)._replace(path="/restored").geturl()
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE restored WITH (FORCE)")


def test_backup_brings_everything_back_and_work_goes_on(load, submit, restored: str, tmp_path: Path) -> None:
    load(f"{HEAD}A-1,Mug,Red\nA-2,Cup,Red\n")
    second = load(f"{HEAD}A-2,Glass,Red\nA-3,Bowl,Red\n")
    paused = submit(f"{HEAD}A-4,Jug,Red\n")
    control.pause(paused, None)

    dump = tmp_path / "loadify.dump"
    name = connection.settings_dict["NAME"]
    source = urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()
    run = [str(_postgres_binary("pg_dump")), "--format=custom", f"--file={dump}", source]
    subprocess.run(run, check=True, capture_output=True, timeout=60)
    files = tmp_path / "copy" / "data" / "files"
    shutil.copytree(tmp_path, files, ignore=shutil.ignore_patterns("copy", "loadify.dump"))
    # What happens after the backup is not in it.
    Product.objects.all().delete()

    run = [str(_postgres_binary("pg_restore")), "--no-owner", "--exit-on-error", f"--dbname={restored}", str(dump)]
    subprocess.run(run, check=True, capture_output=True, timeout=60)
    found = told_by("tests.importer.restored_site", restored, tmp_path / "copy", str(second.public_id), str(paused.public_id))
    assert found["states"] == [["done", ""], ["undone", ""], ["done", ""]]
    assert found["products"] == [["A-1", "Mug"], ["A-2", "Cup"], ["A-4", "Jug"]]
    assert Import.objects.count() == 3
