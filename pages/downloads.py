"""Files that are sent piece by piece, so that a slow reader costs no memory."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.http import content_disposition_header


def streamed(request: HttpRequest, pieces: Iterator[bytes], content_type: str, name: str) -> StreamingHttpResponse:
    """An attachment called `name`, which no cache keeps: it would outlive what is deleted here. Between two pieces nothing may
    be held: the reader says when the next one is made."""
    if request.method == "HEAD":
        # Daphne would send all but the first piece, which the browser takes for the answer to its next request.
        pieces = iter(())
    # Django reads an ordinary iterator to its end before an ASGI server sends the first byte.
    body = _slowly(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    # A browser that shows it all the same runs nothing of it, and takes it for no page of this site.
    response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    add_never_cache_headers(response)
    return response


async def _slowly(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is read when the one before is on its way."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece
