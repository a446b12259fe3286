import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import importer.models


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0007_queue"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=importer.models.uuid7, editable=False, unique=True)),
                ("dataset", models.CharField(max_length=40)),
                ("since", models.DateField(null=True)),
                ("until", models.DateField(null=True)),
                (
                    "format",
                    models.CharField(choices=[("csv", "CSV"), ("xlsx", "Excel workbook (.xlsx)")], default="csv", max_length=4),
                ),
                ("escape", models.BooleanField(default=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("writing", "Writing"),
                            ("paused", "Paused"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                (
                    "wanted",
                    models.CharField(
                        blank=True,
                        choices=[("", "Run"), ("yield", "Give back to the queue"), ("pause", "Pause"), ("cancel", "Cancel")],
                        default="",
                        max_length=10,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("worker", models.CharField(blank=True, max_length=200)),
                ("lease_until", models.DateTimeField(null=True)),
                ("checkpoint", models.JSONField(blank=True, default=dict)),
                ("version", models.BigIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("rows_total", models.BigIntegerField(null=True)),
                ("rows_done", models.BigIntegerField(default=0)),
                ("rows_packed", models.BigIntegerField(default=0)),
                ("path", models.CharField(blank=True, max_length=255)),
                ("bytes", models.BigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["owner", "-id"], name="export_owner_idx"),
                    models.Index(fields=["sha256"], name="export_sha256_idx"),
                    models.Index(
                        condition=models.Q(("state__in", ["paused", "queued", "writing"])),
                        fields=["state"],
                        name="export_moving_idx",
                    ),
                ],
            },
        ),
    ]
