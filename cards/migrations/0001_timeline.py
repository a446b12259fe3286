import django.db.models.functions.text
import django.utils.timezone
from django.db import migrations, models

import importer.values


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CardEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(blank=True, max_length=50)),
                ("card_id", importer.values.ByteOrdered(max_length=50, verbose_name="card")),
                (
                    "stage",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "Picked up"), (2, "Not delivered"), (3, "Delivered"), (4, "Returned")]
                    ),
                ),
                ("phone", importer.values.ByteOrdered(blank=True, max_length=20)),
                (
                    "phone_end",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Right("phone", 9),
                        output_field=models.CharField(max_length=9),
                    ),
                ),
                ("at", models.DateTimeField()),
                ("comment", models.CharField(blank=True, max_length=500)),
                ("event_key", importer.values.ByteOrdered(editable=False, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["card_id", "-at", "-stage", "-id"], name="card_event_latest"),
                    models.Index(fields=["phone_end", "-at"], name="card_event_phone"),
                    models.Index(fields=["at", "id"], name="card_event_at"),
                ],
                "constraints": [models.UniqueConstraint(fields=("event_key",), name="card_event_key_unique")],
            },
        ),
    ]
