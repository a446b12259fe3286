import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import importer.values


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0005_mail_not_before"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Held",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField()),
                ("dataset", models.CharField(max_length=40)),
                ("values", models.JSONField()),
                ("due_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("stored", "Stored"), ("discarded", "Discarded")],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                ("row_id", models.BigIntegerField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="holds", to="importer.import"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HeldValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dataset", models.CharField(max_length=40)),
                ("column", models.CharField(max_length=40)),
                ("value", importer.values.ByteOrdered(max_length=320)),
                ("due_at", models.DateTimeField()),
                (
                    "held",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="bars", to="importer.held"),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="held",
            index=models.Index(fields=["state", "dataset", "due_at", "id"], name="held_due"),
        ),
        migrations.AddConstraint(
            model_name="held",
            constraint=models.UniqueConstraint(fields=("run", "line"), name="held_run_line_unique"),
        ),
        migrations.AddIndex(
            model_name="heldvalue",
            index=models.Index(fields=["dataset", "column", "value", "due_at"], name="held_value"),
        ),
    ]
