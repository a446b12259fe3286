"""What the admin shows of a model: everything but secrets, in the order of an index, and nothing that can be pressed."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import BinaryField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

#: Rows that a list pages through; what lies further is found by filters and search.
MOST = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # Django's own has no parameters when it runs
    """Counts no further than MOST: a full count of millions of rows takes as long as reading them."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list.order_by()[:MOST].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # as above
    """A model to look at. Rows are made and changed by the verbs of pages, API and engine, which check them, tell of them and
    write down who did it; the admin would go past all of that."""

    #: Fields that nobody is shown: secrets, sealed or hashed ones too. Raw bytes are never shown.
    hidden: tuple[str, ...] = ()
    #: Shown beside the fields on the page of one row: names of methods.
    also: tuple[str, ...] = ()
    #: Above the list, where that helps: where such rows are changed.
    note = ""

    actions = None
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    # Any other order would sort the whole table.
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        fields = [it for it in self.opts.concrete_fields if it.name not in self.hidden and not isinstance(it, BinaryField)]
        return [*(field.name for field in fields), *self.also]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"subtitle": self.note, **(extra_context or {})})
