import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import importer.models


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0006_held_rows"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("batch", models.UUIDField(default=importer.models.uuid7, unique=True)),
                ("run", models.UUIDField()),
                ("counts", models.JSONField()),
                ("rejects", models.JSONField(default=list)),
                ("mended", models.JSONField(default=list)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name="import",
            name="published",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="import",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("waiting", "Waiting"),
                    ("staging", "Reading"),
                    ("comparing", "Comparing"),
                    ("review", "Ready for review"),
                    ("applying", "Writing"),
                    ("indexing", "Indexing"),
                    ("publishing", "Sending"),
                    ("consuming", "Being stored"),
                    ("paused", "Paused"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                    ("undoing", "Undoing"),
                    ("undone", "Undone"),
                ],
                default="queued",
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="CountedTally",
            fields=[
                ("batch", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="counted_tally_at")],
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.CharField(max_length=100, unique=True)),
                ("dataset", models.CharField(max_length=40)),
                ("body", models.BinaryField()),
                ("reason", models.TextField()),
                ("line", models.BigIntegerField(null=True)),
                ("came_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("replayed_at", models.DateTimeField(null=True)),
                ("discarded_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dead_letters",
                        to="importer.import",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Inbox",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run", models.UUIDField()),
                ("line", models.BigIntegerField()),
                ("outcome", models.CharField(choices=[("c", "created"), ("u", "unchanged"), ("r", "rejected")], max_length=1)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="inbox_at")],
                "constraints": [models.UniqueConstraint(fields=("run", "line"), name="inbox_run_line_unique")],
            },
        ),
    ]
