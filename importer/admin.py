"""What the engine remembers, in the admin: to look at; only the engine may write there."""

from collections.abc import Iterator

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from importer import datasets
from importer.models import (
    Change,
    CountedTally,
    DatasetLock,
    DeadLetter,
    Erasure,
    Export,
    Heartbeat,
    Held,
    HeldValue,
    Import,
    Inbox,
    Lease,
    Mapping,
    Reject,
    StagedRow,
    StorageMark,
    StoredFile,
    Tally,
)
from pages.admin import ReadOnlyAdmin


class ByDataset(admin.SimpleListFilter):
    """The datasets there are, without reading the table for those it names."""

    title = parameter_name = "dataset"

    def lookups(self, request: HttpRequest, model_admin: object) -> Iterator[tuple[str, str]]:
        return ((dataset.name, dataset.title) for dataset in datasets.all())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(dataset=self.value()) if self.value() else queryset


@admin.register(StoredFile)
class StoredFileAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "size", "received", "created_at", "completed_at", "deleted_at")
    list_filter = ("created_at", "deleted_why")
    list_select_related = ("owner",)
    search_fields = ("name", "public_id__exact", "sha256__exact", "owner__email")


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    note = "Imports are steered on their own pages."
    also = ("rows",)
    list_display = (
        "public_id",
        "file",
        "dataset",
        "state",
        "owner",
        "lines",
        "created",
        "updated",
        "rejected",
        "queued_at",
        "rows",
    )
    list_filter = ("state", ByDataset, "mode", "queued_at")
    list_select_related = ("owner", "file")
    search_fields = ("public_id__exact", "file__name", "owner__email")

    @admin.display(description="More")
    def rows(self, run: Import) -> str:
        changes, rejects = reverse("admin:importer_change_changelist"), reverse("admin:importer_reject_changelist")
        link = '<a href="{}?run__id__exact={}">Changes</a> <a href="{}?run__id__exact={}">Rejects</a>'
        return format_html(link, changes, run.pk, rejects, run.pk)

    def view_on_site(self, obj: Import) -> str:
        return reverse("import", args=[obj.public_id])


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """On PostgreSQL each import's Changes lie in a partition, with an index that begins with the import; what people did lies
    in one more. So a list is of one import, or of what people did: over all of them it would read everything."""

    note = "What people did. The changes of an import are behind its row in the list of imports."
    list_display = ("at", "dataset", "row_id", "kind", "person", "run", "line", "before", "after")
    # Only what people did can be found by its number alone.
    list_display_links = None
    list_filter = (ByDataset,)
    list_select_related = ("person", "run")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        changes = Change.objects.all()
        return changes if request.GET.get("run__id__exact") else changes.filter(run=None)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-run_id", "-id") if request.GET.get("run__id__exact") else ("-id",)


@admin.register(Reject)
class RejectAdmin(ReadOnlyAdmin):
    note = "The rejects of one import are behind its row in the list of imports."
    list_display = ("id", "run", "line", "reason")
    ordering = ("-run_id", "-line")
    list_select_related = ("run",)


@admin.register(Held)
class HeldAdmin(ReadOnlyAdmin):
    note = "Held rows are let through or discarded on their own page."
    list_display = ("id", "dataset", "run", "line", "state", "due_at", "ended_at", "decided_by")
    list_filter = ("state", ByDataset)
    list_select_related = ("run", "decided_by")


@admin.register(HeldValue)
class HeldValueAdmin(ReadOnlyAdmin):
    list_display = ("held", "dataset", "column", "value", "due_at")
    list_filter = (ByDataset,)
    list_select_related = ("held",)
    search_fields = ("value__exact",)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("run", "attempt", "worker", "beat_at", "lease_until")
    list_select_related = ("run",)
    search_fields = ("worker",)


@admin.register(DatasetLock)
class DatasetLockAdmin(ReadOnlyAdmin):
    list_display = ("dataset", "run", "attempt", "holder", "lease_until", "missing_indexes")
    list_select_related = ("run",)


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "until")


@admin.register(StorageMark)
class StorageMarkAdmin(ReadOnlyAdmin):
    list_display = ("text",)


@admin.register(Mapping)
class MappingAdmin(ReadOnlyAdmin):
    list_display = ("dataset", "columns", "used_at")
    list_filter = (ByDataset, "used_at")


@admin.register(StagedRow)
class StagedRowAdmin(ReadOnlyAdmin):
    note = "On PostgreSQL each import has a table of its own instead."
    list_display = ("id", "run", "line", "key", "seq")
    list_select_related = ("run",)


@admin.register(Inbox)
class InboxAdmin(ReadOnlyAdmin):
    list_display = ("id", "run", "line", "outcome", "at")
    search_fields = ("run__exact",)


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ("batch", "run", "counts", "at")


@admin.register(CountedTally)
class CountedTallyAdmin(ReadOnlyAdmin):
    ordering = ("-at",)
    list_display = ("batch", "at")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    note = "Letters are sent again or discarded on the page of the queue."
    also = ("text",)
    list_display = ("message_id", "dataset", "run", "line", "reason", "came_at", "replayed_at", "discarded_at")
    list_filter = (ByDataset, "came_at")
    list_select_related = ("run",)
    search_fields = ("message_id__exact",)

    @admin.display(description="Body")
    def text(self, letter: DeadLetter) -> str:
        return bytes(letter.body).decode(errors="replace")


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    # What was erased must not be guessed from a digest that others know how to make.
    hidden = ("digest",)
    list_display = ("at", "kind", "person", "counts")
    list_filter = ("kind", "at")
    list_select_related = ("person",)


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    note = "Exports are made and steered on their own pages."
    list_display = ("public_id", "dataset", "format", "state", "owner", "rows_done", "queued_at", "finished_at", "expires_at")
    list_filter = ("state", ByDataset, "format", "queued_at")
    list_select_related = ("owner",)
    search_fields = ("public_id__exact", "owner__email")

    def view_on_site(self, obj: Export) -> str:
        return reverse("export", args=[obj.public_id])
