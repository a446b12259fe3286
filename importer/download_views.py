"""Downloads: the file of an import or an export by a link that expires, the rejected lines as CSV; for all, samples."""

import uuid
from collections.abc import Callable
from pathlib import PurePath

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import person
from accounts.models import User
from importer import datasets, downloads
from importer.access import may_see_rows
from importer.control_views import mine
from importer.export_progress import ExportProgress
from importer.export_views import TYPES
from importer.intake import uploads
from importer.models import Export, Import
from importer.values import BadFile
from pages import signed
from pages.downloads import streamed


class Unavailable(Exception):
    """The file cannot be had any more; the text says why."""


@never_cache
@require_safe
def original(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Lead to the file by a link that works for LOADIFY_LINK_SECONDS, also where nobody is signed in."""
    run = mine(request, public_id)
    return redirect("file-link", signed.token(signed.Link("import", run.public_id, person(request).pk)))


@login_not_required
@never_cache
@require_safe
def by_link(request: HttpRequest, token: str) -> HttpResponseBase:
    """A stored file, byte for byte, for whoever has a link that is still good and whose maker may still have the file."""
    try:
        link = signed.read(token)
        path, name, type_ = OPENERS[link.kind](link.public_id, User.objects.get(pk=link.user_id, is_active=True))
    except (signed.ExpiredLink, Unavailable) as problem:
        return render(request, "importer/link.html", {"problem": problem}, status=410)
    except (signed.BadLink, PermissionDenied, ObjectDoesNotExist, KeyError):
        # Who holds a link that was tampered with learns nothing about what there is.
        sentence = "The link is not one of this site, or does not work any more."
        return render(request, "importer/link.html", {"problem": sentence}, status=403)
    response = streamed(request, downloads.original(path), type_, name)
    response["Content-Length"] = str(default_storage.size(path))
    response["Referrer-Policy"] = "no-referrer"
    return response


def file_of_import(public_id: uuid.UUID, asker: User) -> tuple[str, str, str]:
    """Where the file of an import lies in storage, its name and type. Raises PermissionDenied, Unavailable, DoesNotExist."""
    run = Import.objects.select_related("file").get(public_id=public_id)
    if run.file is None or not may_see_rows(asker, run):
        raise PermissionDenied
    try:
        uploads.check_there(run.file)
    except BadFile as problem:
        raise Unavailable(str(problem)) from None
    # Of no type that a browser would show: what is in the file is not ours.
    return run.file.path, run.file.name, "application/octet-stream"


def file_of_export(public_id: uuid.UUID, asker: User) -> tuple[str, str, str]:
    """Where the file of an export lies in storage, its name and type. Raises PermissionDenied, Unavailable, DoesNotExist."""
    export = Export.objects.get(public_id=public_id)
    if not may_see_rows(asker, export):
        raise PermissionDenied
    if not export.path or not default_storage.exists(export.path):
        raise Unavailable("This export has no file, or not any more.")
    return export.path, ExportProgress(export).name, TYPES[Export.Format(export.format)]


#: The kinds of links, and how a person who may have what they open finds its path in storage, its name and type.
OPENERS: dict[str, Callable[[uuid.UUID, User], tuple[str, str, str]]] = {"import": file_of_import, "export": file_of_export}


@require_safe
def sample(request: HttpRequest, dataset: str) -> HttpResponseBase:
    """A small file as the dataset wants it, of one `layout` where it has several."""
    layout = request.GET.get("layout", "")
    try:
        found = datasets.get(dataset).seen_as(layout)
    except (KeyError, BadFile):
        raise Http404("There is no such dataset or layout.") from None
    if not found.has_sample:
        raise Http404("There is no sample of this dataset.")
    # By its name a file says which layout it has.
    name = f"{dataset}-{layout}-sample.csv" if layout else f"{dataset}-sample.csv"
    return streamed(request, downloads.sample(found), "text/csv; charset=utf-8", name)


@require_safe
def rejects_csv(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The rejected lines, ready to be mended and uploaded."""
    run = mine(request, public_id)
    stem = PurePath(run.file.name).stem if run.file else run.dataset
    return streamed(request, downloads.rejects(run), "text/csv; charset=utf-8", f"{stem}-rejects.csv")
