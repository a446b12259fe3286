"""Downloads of an import, for its owner and staff: the original file, and the rejected lines as CSV."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import PurePath

from asgiref.sync import sync_to_async
from django.core.files.storage import default_storage
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from importer import downloads
from importer.control_views import mine


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
def rejects_csv(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The rejected lines, ready to be mended and uploaded."""
    run = mine(request, public_id)
    stem = PurePath(run.file.name).stem if run.file else run.dataset
    return streamed(request, downloads.rejects(run), "text/csv; charset=utf-8", f"{stem}-rejects.csv")


def streamed(request: HttpRequest, pieces: Iterator[bytes], content_type: str, name: str) -> StreamingHttpResponse:
    """An attachment that is sent piece by piece."""
    # Django reads an ordinary iterator to its end before an ASGI server sends the first byte.
    body = slowly(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


async def slowly(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is read when the one before is on its way."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece
