"""What the importer remembers: files, imports with their heartbeat, rejects, changes, exports, and who holds a dataset."""

import os
import time
import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from importer.states import EXPORT_FINAL, FINAL, ExportState, State
from importer.values import ByteOrdered


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits; sorts by time of making."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62)


class StoredFile(models.Model):
    """A file in storage, or the part of it that has arrived."""

    class Why(models.TextChoices):
        RETENTION = "retention", "Older than files are kept"
        ERASED = "erased", "Held data of a person who was erased"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="files")
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField()
    received = models.BigIntegerField(default=0)
    #: What storage has to remember of a file that is still growing; only importer/storage reads it.
    parts = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    #: When the file was deleted, and why; the bytes are gone from storage once `path` is blank.
    deleted_at = models.DateTimeField(null=True)
    deleted_why = models.CharField(max_length=10, choices=Why, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["deleted_at"],
                name="file_to_delete",
                condition=models.Q(deleted_at__isnull=False) & ~models.Q(path=""),
            ),
            models.Index(fields=["expires_at"], name="file_unfinished", condition=models.Q(completed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fate(self) -> str:
        """When and why the file was deleted, as a sentence; "" while it is kept."""
        if self.deleted_at is None:
            return ""
        reasons = {
            self.Why.RETENTION: "it was older than files are kept here",
            self.Why.ERASED: "it held data of a person whose data was erased",
        }
        day = timezone.localtime(self.deleted_at)
        return f"The file was deleted on {day.day} {day:%B %Y}, because {reasons[self.Why(self.deleted_why)]}."


class StorageMark(models.Model):
    """What stands in `.storage-id` of the storage that this database's files are in: one row, of number 1."""

    text = models.CharField(max_length=36)

    def __str__(self) -> str:
        return self.text


class Lease(models.Model):
    """Who does by itself, for the time being, what only one process may do at a time (importer/leases.py)."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=200)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Import(models.Model):
    """One run of one file into one dataset. Its row is the truth; every message about it is only a hint."""

    class Mode(models.TextChoices):
        #: Waits for a person when existing rows would change, or when there is a warning.
        AUTO = "auto", "Show me first when it changes what is there"
        REVIEW = "review", "Show me first"
        #: Waits for a person only when there is a warning.
        APPLY = "apply", "Apply at once"

    class News(models.TextChoices):
        NONE = "", "Nothing"
        ENDED = "ended", "It ended"
        REVIEW = "review", "It waits for a person"
        PAUSED = "paused", "It was paused"

    class Wanted(models.TextChoices):
        RUN = "", "Run"
        YIELD = "yield", "Give back to the queue"
        PAUSE = "pause", "Pause"
        CANCEL = "cancel", "Cancel"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="imports")
    file = models.ForeignKey(StoredFile, models.PROTECT, null=True, related_name="imports")
    dataset = models.CharField(max_length=40)
    layout = models.CharField(max_length=40, blank=True)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.APPLY)
    #: What a person chose at the start; importer/options.py gives it types.
    options = models.JSONField(default=dict, blank=True)

    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    wanted = models.CharField(max_length=10, choices=Wanted, default=Wanted.RUN, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    #: Where to go on: opaque JSON with a format version under "v"; only the runner reads it.
    checkpoint = models.JSONField(default=dict, blank=True)
    #: Raised by every committed step, so that watchers can ask "is there news?".
    version = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    #: What COMPARE found for a person to look at: counts, per column, warnings; and what they approved (importer/review.py).
    review = models.JSONField(default=dict, blank=True)
    paused_at = models.DateTimeField(null=True)
    #: A cancelled import takes back what it wrote.
    roll_back = models.BooleanField(default=False)
    #: What an undo has done so far: {"restored": rows, "removed": rows, "kept": rows}
    undo = models.JSONField(default=dict, blank=True)
    #: Who pressed the last button: pause, resume, cancel, approve, undo, retry.
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    #: What its owner is to be told by e-mail and on the page, since when, and whether that has happened.
    news = models.CharField(max_length=10, choices=News, default=News.NONE, blank=True)
    news_at = models.DateTimeField(null=True)
    #: When the next try at the e-mail may be; `mailed_at` when it went out, or was given up.
    mail_not_before = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    lines = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    superseded = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    #: Rows switched off because the file does not have them; no lines of the file, so in no bucket.
    deactivated = models.BigIntegerField(default=0)
    #: Rows sent to a queue, when the import goes through one; each ends in a bucket when a consumer has told of it.
    published = models.BigIntegerField(default=0)

    #: How far the phase at work is: bytes while staging, keys while applying, indexes while indexing.
    step_done = models.BigIntegerField(default=0)
    step_total = models.BigIntegerField(default=0)
    #: Seconds spent in each phase, over all attempts: {"staging": 2.5, …}
    seconds = models.JSONField(default=dict, blank=True)
    #: For the picture of speed: [[seconds of work, rows handled so far], …], thinned to about 120 points.
    samples = models.JSONField(default=list, blank=True)

    queued_at = models.DateTimeField(default=timezone.now)
    #: While it is queued: when its turn has come, however small others are. Else since when it has had it (importer/turns.py).
    #: The database knows the default, too: while a release goes out, the one before it still queues imports.
    turn_at = models.DateTimeField(default=timezone.now, db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["finished_at"], name="import_finished_idx"),
            models.Index(fields=["dataset", "id"], name="import_waiting_idx", condition=~models.Q(state__in=sorted(FINAL))),
            models.Index(fields=["owner", "-id"], name="import_owner_idx"),
        ]

    def __str__(self) -> str:
        return f"import {self.public_id}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def by_queue(self) -> bool:
        """Its rows go through a queue, and consumers store them."""
        return bool(self.options.get("queue"))

    @property
    def counted(self) -> int:
        """Lines that are in a bucket already; equals `lines` when the import is done."""
        return self.created + self.updated + self.unchanged + self.superseded + self.held + self.rejected


class Maintenance(models.Model):
    """Whether new imports are taken: one row, with the key 1 (importer/maintenance.py)."""

    #: Since when none are; None while they are taken.
    closed_at = models.DateTimeField(null=True)
    #: What people are told of it.
    reason = models.CharField(max_length=200, blank=True)
    #: Who turned the switch last; nobody when it was done on the command line.
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name_plural = "maintenance"

    def __str__(self) -> str:
        return "no new imports are taken" if self.closed_at else "imports are taken"


class Mapping(models.Model):
    """How files with these headings were read into a dataset the last time."""

    dataset = models.CharField(max_length=40)
    #: sha256 of the folded headings, sorted: the same set in another order finds the same mapping.
    headings_hash = models.CharField(max_length=64)
    #: {column: heading}, the heading as it stood in the file
    columns = models.JSONField(default=dict)
    #: {column: "keep" or "clear"}
    blank = models.JSONField(default=dict)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "headings_hash"], name="mapping_headings_unique")]

    def __str__(self) -> str:
        return f"mapping of {len(self.columns)} columns of {self.dataset}"


class Heartbeat(models.Model):
    """The life sign of the worker that has an import, in a row of its own so that it never waits for the import's row."""

    run = models.OneToOneField(Import, models.CASCADE, primary_key=True, related_name="heartbeat")
    attempt = models.PositiveIntegerField()
    worker = models.CharField(max_length=200)
    beat_at = models.DateTimeField()
    #: Until this moment, by the database's clock, the worker may write; after it the import belongs to whoever claims it.
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"heartbeat of import {self.run_id} from {self.worker}"


class DatasetLock(models.Model):
    """Who may change a dataset: one import, or a person's delete-all."""

    dataset = models.CharField(max_length=40, primary_key=True)
    run = models.ForeignKey(Import, models.SET_NULL, null=True, related_name="+")
    attempt = models.PositiveIntegerField(default=0)
    holder = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True)
    #: Search indexes that were dropped for a load and must be built again: [[name, definition], …]
    missing_indexes = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.dataset}, held by {self.holder or 'nobody'}"


class Reject(models.Model):
    """A line that was not taken, with its cells and one sentence why."""

    run = models.ForeignKey(Import, models.CASCADE, related_name="rejects", db_index=False)
    line = models.BigIntegerField()
    cells = models.JSONField(default=list)
    reason = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="reject_run_line_unique")]

    def __str__(self) -> str:
        return self.reason


class Held(models.Model):
    """A line that came too early for its dataset: it waits here until its moment, and is stored then by the timetable."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        STORED = "stored", "Stored"
        DISCARDED = "discarded", "Discarded"

    run = models.ForeignKey(Import, models.CASCADE, related_name="holds", db_index=False)
    line = models.BigIntegerField()
    dataset = models.CharField(max_length=40)
    #: {column: text of the value, as the cleaners made it}
    values = models.JSONField()
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    ended_at = models.DateTimeField(null=True)
    #: Who let it through before its moment, or discarded it.
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    #: The row it has become.
    row_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "held rows"
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="held_run_line_unique")]
        indexes = [models.Index(fields=["state", "dataset", "due_at", "id"], name="held_due")]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.run_id}, {self.state}"


class HeldValue(models.Model):
    """What a waiting row has in a column that bars others: the next row with it comes after `due_at`."""

    held = models.ForeignKey(Held, models.CASCADE, related_name="bars")
    dataset = models.CharField(max_length=40)
    column = models.CharField(max_length=40)
    value = ByteOrdered(max_length=320)
    due_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["dataset", "column", "value", "due_at"], name="held_value")]

    def __str__(self) -> str:
        return f"{self.column} of held row {self.held_id}"


class StagedRow(models.Model):
    """A cleaned line that waits to be written, on databases other than PostgreSQL, where each import has a table for them.

    `values` holds the text of each column, null for "as it is"; `seq` numbers, in key order, the lines that change a row.
    """

    run = models.ForeignKey(Import, models.CASCADE, related_name="+", db_index=False)
    line = models.BigIntegerField()
    #: 700 characters of four bytes are what MariaDB can index beside two numbers.
    key = ByteOrdered(max_length=700)
    values = models.JSONField()
    seq = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="staged_run_line_unique")]
        indexes = [
            models.Index(fields=["run", "key", "line"], name="staged_key"),
            models.Index(fields=["run", "seq"], name="staged_seq"),
        ]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.run_id}"


class Change(models.Model):
    """One row's before and after, with its actor: an import and line, or a person.

    On PostgreSQL the table is partitioned by import, so that the Changes of one import go by dropping a table; there is no
    foreign key to the dataset's table, which may be truncated. An import stores only what was there before: what came after
    is the next Change of the same row, or the row itself.
    """

    class Kind(models.TextChoices):
        CREATED = "c", "created"
        UPDATED = "u", "updated"
        DELETED = "d", "deleted"
        #: Every row of the dataset went at once; such a Change has row_id 0 and their number in `after`.
        CLEARED = "x", "cleared"

    dataset = models.CharField(max_length=40)
    row_id = models.BigIntegerField()
    run = models.ForeignKey(Import, models.DO_NOTHING, null=True, related_name="changes", db_constraint=False, db_index=False)
    line = models.BigIntegerField(null=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    kind = models.CharField(max_length=1, choices=Kind)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"row {self.row_id} of {self.dataset} {self.get_kind_display()}"


class Inbox(models.Model):
    """What became of one row that came through a queue: written with the row, so one that comes twice counts once.

    Imports are named by their public id: this table is the consumer's, whose database may know nothing of them.
    """

    class Outcome(models.TextChoices):
        CREATED = "c", "created"
        UNCHANGED = "u", "unchanged"
        REJECTED = "r", "rejected"

    run = models.UUIDField()
    line = models.BigIntegerField()
    outcome = models.CharField(max_length=1, choices=Outcome)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "inbox"
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="inbox_run_line_unique")]
        indexes = [models.Index(fields=["at"], name="inbox_at")]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.run}: {self.get_outcome_display()}"


class Tally(models.Model):
    """What a consumer has to tell the site of one import; written with the rows, and gone when the broker has it safely.

    `counts` {bucket: lines more, or fewer}; `rejects` [[line, {column: text}, reason], …]; `mended`: lines rejected before.
    """

    batch = models.UUIDField(default=uuid7, unique=True)
    run = models.UUIDField()
    counts = models.JSONField()
    rejects = models.JSONField(default=list)
    mended = models.JSONField(default=list)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"tally of import {self.run}"


class CountedTally(models.Model):
    """A tally that the site has counted, so that it is counted once however often it comes."""

    batch = models.UUIDField(primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "counted tallies"
        indexes = [models.Index(fields=["at"], name="counted_tally_at")]

    def __str__(self) -> str:
        return f"tally {self.batch}"


class DeadLetter(models.Model):
    """A message that a consumer could not take, and why; somebody sends it again or discards it."""

    #: Of the message, so that a letter that comes twice is listed once.
    message_id = models.CharField(max_length=100, unique=True)
    dataset = models.CharField(max_length=40)
    body = models.BinaryField()
    reason = models.TextField()
    #: The import and line it is of, as far as that can be told.
    run = models.ForeignKey(Import, models.CASCADE, null=True, related_name="dead_letters")
    line = models.BigIntegerField(null=True)
    came_at = models.DateTimeField(default=timezone.now)
    replayed_at = models.DateTimeField(null=True)
    discarded_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return f"dead letter {self.message_id}"


class Erasure(models.Model):
    """That somebody's personal data was erased: when, by whom, how much of it and where, and never whose."""

    at = models.DateTimeField(default=timezone.now)
    #: Nobody when it was done on the command line.
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    #: What was searched for: the name of a column, such as "email".
    kind = models.CharField(max_length=40)
    #: HMAC-SHA-256 of the value under SECRET_KEY: tells whether a value was erased to those who know the value.
    digest = models.CharField(max_length=64)
    #: {place: how many entries went from it}
    counts = models.JSONField(default=dict)
    #: Paths in storage that are still to be deleted.
    files_left = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["digest"], name="erasure_digest")]

    def __str__(self) -> str:
        return f"erasure of one {self.kind}"

    @property
    def removed(self) -> list[tuple[str, int]]:
        """The counts in the order of places; JSON in a database has no order."""
        return sorted(self.counts.items())


class Export(models.Model):
    """One run of writing the rows of a dataset into a file. Its row is the truth, as an import's is."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "Excel workbook (.xlsx)"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="exports")
    dataset = models.CharField(max_length=40)
    #: The first and the last day, both included; None for no limit.
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    format = models.CharField(max_length=4, choices=Format, default=Format.CSV)
    #: Whether cells that a spreadsheet would run as formulas are kept from it.
    escape = models.BooleanField(default=True)

    state = models.CharField(max_length=12, choices=ExportState, default=ExportState.QUEUED)
    wanted = models.CharField(max_length=10, choices=Import.Wanted, default=Import.Wanted.RUN, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    #: Until this moment, by the database's clock, the worker may write; after it the export belongs to whoever claims it.
    lease_until = models.DateTimeField(null=True)
    #: Where to go on: opaque JSON with a format version under "v"; only importer/exports.py reads it.
    checkpoint = models.JSONField(default=dict, blank=True)
    #: Raised by every committed step.
    version = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)

    rows_total = models.BigIntegerField(null=True)
    rows_done = models.BigIntegerField(default=0)
    #: Rows that are in the workbook, which is made when all of them are read.
    rows_packed = models.BigIntegerField(default=0)

    path = models.CharField(max_length=255, blank=True)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: When the file is deleted; `path` is blank once that has happened.
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-id"], name="export_owner_idx"),
            models.Index(fields=["sha256"], name="export_sha256_idx"),
            models.Index(
                fields=["state"], name="export_moving_idx", condition=models.Q(state__in=["paused", "queued", "writing"])
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.public_id}"

    @property
    def is_final(self) -> bool:
        return self.state in EXPORT_FINAL
