import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import importer.models

PARTITIONED = """
DROP TABLE importer_change;
CREATE SEQUENCE importer_change_id_seq AS bigint;
CREATE TABLE importer_change (
    id bigint NOT NULL DEFAULT nextval('importer_change_id_seq'),
    dataset varchar(40) NOT NULL,
    row_id bigint NOT NULL,
    run_id bigint,
    line bigint,
    person_id bigint,
    at timestamptz NOT NULL,
    kind varchar(1) NOT NULL,
    before jsonb,
    after jsonb
) PARTITION BY LIST (run_id);
ALTER SEQUENCE importer_change_id_seq OWNED BY importer_change.id;
CREATE TABLE importer_change_people PARTITION OF importer_change FOR VALUES IN (NULL);
CREATE INDEX importer_change_people_row ON importer_change_people (dataset, row_id);
"""


def partition_changes(apps, schema_editor):
    """On PostgreSQL, one partition an import, so that its Changes go by dropping a table."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(PARTITIONED)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=importer.models.uuid7, editable=False, unique=True)),
                ("dataset", models.CharField(max_length=40)),
                ("layout", models.CharField(blank=True, max_length=40)),
                (
                    "mode",
                    models.CharField(
                        choices=[("apply", "Apply at once"), ("review", "Show me first")],
                        default="apply",
                        max_length=10,
                    ),
                ),
                ("options", models.JSONField(blank=True, default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("waiting", "Waiting"),
                            ("staging", "Reading"),
                            ("comparing", "Comparing"),
                            ("review", "Ready for review"),
                            ("applying", "Writing"),
                            ("indexing", "Indexing"),
                            ("publishing", "Sending"),
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
                (
                    "wanted",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Run"),
                            ("yield", "Give back to the queue"),
                            ("pause", "Pause"),
                            ("cancel", "Cancel"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("checkpoint", models.JSONField(blank=True, default=dict)),
                ("version", models.BigIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("lines", models.BigIntegerField(default=0)),
                ("created", models.BigIntegerField(default=0)),
                ("updated", models.BigIntegerField(default=0)),
                ("unchanged", models.BigIntegerField(default=0)),
                ("superseded", models.BigIntegerField(default=0)),
                ("held", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("step_done", models.BigIntegerField(default=0)),
                ("step_total", models.BigIntegerField(default=0)),
                ("seconds", models.JSONField(blank=True, default=dict)),
                ("samples", models.JSONField(blank=True, default=list)),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="imports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="heartbeat",
                        serialize=False,
                        to="importer.import",
                    ),
                ),
                ("attempt", models.PositiveIntegerField()),
                ("worker", models.CharField(max_length=200)),
                ("beat_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="DatasetLock",
            fields=[
                ("dataset", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("holder", models.CharField(blank=True, max_length=200)),
                ("lease_until", models.DateTimeField(null=True)),
                ("missing_indexes", models.JSONField(blank=True, default=list)),
                (
                    "run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="importer.import"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dataset", models.CharField(max_length=40)),
                ("row_id", models.BigIntegerField()),
                ("line", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(choices=[("c", "created"), ("u", "updated"), ("d", "deleted")], max_length=1),
                ),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="changes",
                        to="importer.import",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=importer.models.uuid7, editable=False, unique=True)),
                ("name", models.CharField(max_length=255)),
                ("path", models.CharField(blank=True, max_length=255)),
                ("size", models.BigIntegerField()),
                ("received", models.BigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="import",
            name="file",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="imports", to="importer.storedfile"
            ),
        ),
        migrations.CreateModel(
            name="Reject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField()),
                ("cells", models.JSONField(default=list)),
                ("reason", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejects",
                        to="importer.import",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "line"), name="reject_run_line_unique")],
            },
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("state__in", ["cancelled", "done", "failed", "undone"]), _negated=True),
                fields=["dataset", "id"],
                name="import_waiting_idx",
            ),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(fields=["owner", "-id"], name="import_owner_idx"),
        ),
        migrations.RunPython(partition_changes, migrations.RunPython.noop),
    ]
