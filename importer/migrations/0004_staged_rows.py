import django.db.models.deletion
from django.db import migrations, models

import importer.values


def index_changes(apps, schema_editor):
    """On PostgreSQL each partition has an index of its own."""
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.execute("CREATE INDEX importer_change_row ON importer_change (row_id, dataset)")
        schema_editor.execute("CREATE INDEX importer_change_run ON importer_change (run_id, id)")


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0003_trust"),
    ]

    operations = [
        migrations.CreateModel(
            name="StagedRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField()),
                ("key", importer.values.ByteOrdered(max_length=700)),
                ("values", models.JSONField()),
                ("seq", models.BigIntegerField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="importer.import"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "key", "line"], name="staged_key"),
                    models.Index(fields=["run", "seq"], name="staged_seq"),
                ],
                "constraints": [models.UniqueConstraint(fields=("run", "line"), name="staged_run_line_unique")],
            },
        ),
        migrations.RunPython(index_changes, migrations.RunPython.noop),
    ]
