"""Downloads of an import, for its owner and staff: the original file, and the rejected lines as CSV; for all, samples."""

import uuid
from pathlib import PurePath

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from importer import datasets, downloads
from importer.control_views import mine
from importer.values import BadFile
from pages.downloads import streamed


@require_safe
def original(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The file, byte for byte as it was sent."""
    run = mine(request, public_id)
    if run.file is None or not default_storage.exists(run.file.path):
        raise Http404("The file of this import is not in storage any more.")
    # Of no type that a browser would show: what is in the file is not ours.
    response = streamed(request, downloads.original(run.file.path), "application/octet-stream", run.file.name)
    response["Content-Length"] = str(default_storage.size(run.file.path))
    return response


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
