"""The stream of one viewer: the present snapshot, then the newest whenever there is news, and a word now and then meanwhile.

django-eventstream's own would write all that waits, encoded anew for every viewer, and begin a timer at each event; with
thousands of viewers that is most of the work. Who watches which channel, and who may, is still its affair.
"""

import asyncio
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET
from django_eventstream.eventrequest import EventRequest
from django_eventstream.utils import add_default_headers
from django_eventstream.views import Listener, get_listener_manager

from importer.relay import Snapshot, SnapshotStorage

#: Seconds between two words that say only that the line is open.
KEEP_ALIVE = 20.0
#: Some proxies and browsers hold back the first two kilobytes.
_OPENING = b":" + b" " * 2048 + b"\n\nevent: stream-open\ndata:\n\n"


# A stream has no end, so a HEAD of it would have none either.
@require_GET
def events(request: HttpRequest, **named: object) -> StreamingHttpResponse:
    """The live events of the one channel in `format-channels`. Raises PermissionDenied and Http404 (importer/relay.py)."""
    [channel] = EventRequest(request, view_kwargs=named).channels
    response = StreamingHttpResponse(stream(channel), content_type="text/event-stream")
    add_default_headers(response, request=request)
    return response


async def stream(channel: str) -> AsyncIterator[bytes]:
    """What goes to one viewer of the channel, without end."""
    manager, loop = get_listener_manager(), asyncio.get_running_loop()
    listener = Listener()
    listener.channels = {channel}
    listener.assign_loop()
    timer: asyncio.TimerHandle

    def ring() -> None:
        nonlocal timer
        listener.aevent.set()
        timer = loop.call_later(KEEP_ALIVE, ring)

    manager.add_listener(listener)
    timer = loop.call_later(KEEP_ALIVE, ring)
    try:
        sent = await _present(channel)
        yield _OPENING + sent.wire
        while True:
            await listener.aevent.wait()
            with manager.lock:
                listener.aevent.clear()
                waiting: list[Snapshot] = listener.channel_items.pop(channel, [])
                passed_over, listener.overflow = listener.overflow, False
            if not waiting:
                yield b"event: keep-alive\ndata:\n\n"
                continue
            newest = await _present(channel) if passed_over else waiting[-1]
            # What was rendered before this viewer came may still lie there.
            if newest.id >= sent.id:
                sent = newest
                yield sent.wire
    finally:
        timer.cancel()
        manager.remove_listener(listener)


async def _present(channel: str) -> Snapshot:
    [snapshot] = await sync_to_async(SnapshotStorage().get_events)(channel, 0)
    return snapshot
