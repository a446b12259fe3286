"""Brings news of imports to those who watch them: one thread per web process, whatever the number of viewers.

The import's row is the truth. Twice a second the relay asks for the versions of all watched imports in one query, and
what has moved is rendered once and given to django-eventstream, which writes it to every listener of this process.
"""

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection
from django.db.models import Count, OuterRef, Subquery
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django_eventstream import send_event
from django_eventstream.channelmanager import DefaultChannelManager
from django_eventstream.event import Event
from django_eventstream.storage import StorageBase
from django_eventstream.views import get_listener_manager

from importer import turns
from importer.models import DatasetLock, Import
from importer.progress import snapshot
from importer.states import State
from importer.told import told
from importer.turns import Place

log = logging.getLogger(__name__)

TICK = 0.5
#: The thread stays this long after the last viewer has gone, so that a reload does not start a new one (seconds).
LINGER = 10.0
#: A payload older than this is rendered anew for who joins late, so that the clock on it is right (seconds).
FRESH = 1.0

#: What is said of time left while an import waits is said anew after so many seconds.
WHILE_WAITING = 10

#: Of an import: its channel for pages, and the one for programs.
_CHANNEL = re.compile(r"import-(?:told-)?([0-9a-f-]{36})")


@dataclass(frozen=True)
class Stamp:
    """What tells whether there is news: the version; for an import that waits also who holds its dataset, how many come
    before it, and the clock, because the holder comes nearer to its end; for a queued one its place in line."""

    version: int
    holder: int | None = None
    ahead: int = 0
    clock: int = 0
    place: Place | None = None


@dataclass(frozen=True)
class Payload:
    """A rendered snapshot as it goes over the wire: `data` is one line of JSON for pages, `told` one for programs."""

    stamp: Stamp
    data: str
    told: str
    made_at: float


def channel_of(public_id: uuid.UUID | str) -> str:
    return f"import-{public_id}"


def told_channel(public_id: uuid.UUID | str) -> str:
    """The channel for programs."""
    return f"import-told-{public_id}"


def stamps(public_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Stamp]:
    """The stamp of each import there is, in one query; while one of them is queued, in three more of the whole queue."""
    lock = DatasetLock.objects.filter(dataset=OuterRef("dataset")).values("run_id")[:1]
    longer = Import.objects.filter(dataset=OuterRef("dataset"), state=State.WAITING, pk__lt=OuterRef("pk")).order_by()
    ahead_of = longer.values("dataset").annotate(ahead=Count("pk")).values("ahead")
    rows = (
        Import.objects.filter(public_id__in=list(public_ids))
        .annotate(holder_id=Subquery(lock), ahead=Subquery(ahead_of))
        .values_list("public_id", "pk", "version", "state", "holder_id", "ahead")
    )
    found = list(rows)
    queued = {pk for _, pk, _, state, _, _ in found if state == State.QUEUED}
    places = turns.places(queued) if queued else {}
    clock = int(time.time()) // WHILE_WAITING
    return {
        public_id: Stamp(version, holder, ahead or 0, clock) if state == State.WAITING else Stamp(version, place=places.get(pk))
        for public_id, pk, version, state, holder, ahead in found
    }


def render(public_id: uuid.UUID, stamp: Stamp) -> Payload:
    """Load and render one import. Raises Import.DoesNotExist."""
    run = Import.objects.get(public_id=public_id)
    place = (stamp.place or turns.place(run)) if run.state == State.QUEUED else None
    progress = snapshot(run, place=place)
    html = render_to_string("importer/_progress.html", {"progress": progress})
    data = {
        "version": progress.version,
        "state": progress.state.value,
        "wanted": run.wanted,
        "rejected": progress.rejected,
        "final": progress.is_final,
        "html": html,
    }
    return Payload(stamp, json.dumps(data), json.dumps(told(run, False, place), cls=DjangoJSONEncoder), time.monotonic())


class Relay:
    """Knows what was sent last of each watched import; `tick` is one round, `wake` keeps a thread ticking."""

    def __init__(self) -> None:
        self._sent: dict[uuid.UUID, Payload] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wanted_until = 0.0
        #: Rounds that were made since the process began, and the seconds they took.
        self.ticks, self.seconds = 0, 0.0

    def wake(self) -> None:
        """Call when a viewer arrives: starts the thread unless it runs."""
        with self._lock:
            self._wanted_until = time.monotonic() + LINGER
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
                self._thread.start()

    def watched(self) -> set[uuid.UUID]:
        """The imports that somebody in this process watches, as django-eventstream knows it."""
        listeners = get_listener_manager()
        with listeners.lock:
            channels = list(listeners.listeners_by_channel)
        return {uuid.UUID(match[1]) for channel in channels if (match := _CHANNEL.fullmatch(channel))}

    def tick(self) -> int:
        """Send what has moved since the last round, and return how many imports that were.

        One query, and one or two for each import that moved, however many watch.
        """
        watched = self.watched()
        for public_id in self._sent.keys() - watched:
            self._sent.pop(public_id, None)
        news = 0
        for public_id, stamp in stamps(watched).items() if watched else ():
            before = self._sent.get(public_id)
            if before is not None and before.stamp == stamp:
                continue
            payload = render(public_id, stamp)
            self._sent[public_id] = payload
            send_event(channel_of(public_id), "snapshot", payload.data, json_encode=False)
            send_event(told_channel(public_id), "snapshot", payload.told, json_encode=False)
            news += 1
        return news

    def current(self, public_id: uuid.UUID) -> Payload:
        """The present state for who joins now; viewers who come at once share one rendering.

        Raises Import.DoesNotExist.
        """
        stamp = stamps([public_id]).get(public_id)
        if stamp is None:
            raise Import.DoesNotExist(f"There is no import {public_id}.")
        known = self._sent.get(public_id)
        if known is not None and known.stamp == stamp and time.monotonic() - known.made_at < FRESH:
            return known
        payload = render(public_id, stamp)
        # Only what is watched is kept: `tick` forgets it when the last viewer goes. What was rendered here has not been
        # sent to the others, so it may refresh a payload they have, never stand for one they have not.
        if known is not None and known.stamp == stamp:
            self._sent[public_id] = payload
        return payload

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self.tick()
            except DatabaseError as problem:
                # The database may be away for a while; viewers keep what they see, and the next rounds try again.
                log.warning("The progress of imports cannot be read; trying again. %s", problem)
                connection.close()
            except Exception:
                log.exception("The progress of imports could not be sent; trying again.")
            took = time.monotonic() - began
            self.ticks += 1
            self.seconds += took
            # Twice a second, whatever a round takes; but with thousands of viewers the process needs time for others, too.
            time.sleep(max(TICK / 2, TICK - took))
            with self._lock:
                if self.watched():
                    self._wanted_until = time.monotonic() + LINGER
                elif time.monotonic() > self._wanted_until:
                    self._thread = None
                    break
        connection.close()


relay = Relay()


class Snapshot(Event):  # type: ignore[misc]  # django-eventstream carries no type hints
    """An event whose data is one line of JSON."""

    @cached_property
    def wire(self) -> bytes:
        """What every viewer of the channel gets, the same bytes."""
        return f"event: {self.type}\nid: {self.channel}:{self.id}\ndata: {self.data}\n\n".encode()


class SnapshotStorage(StorageBase):  # type: ignore[misc]  # django-eventstream carries no type hints
    """A storage without tables: a channel's only event is the present snapshot, and its id is the import's version."""

    def append_event(self, channel: str, event_type: str, data: str) -> Snapshot:
        return Snapshot(channel, event_type, data, id=json.loads(data)["version"])

    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[Snapshot]:
        """The present snapshot, whatever the listener says it has seen: showing it twice does no harm."""
        payload = relay.current(_public_id(channel))
        data = payload.data if channel == channel_of(_public_id(channel)) else payload.told
        return [self.append_event(channel, "snapshot", data)]

    def get_current_id(self, channel: str) -> int:
        return relay.current(_public_id(channel)).stamp.version


class ImportChannels(DefaultChannelManager):  # type: ignore[misc]  # django-eventstream carries no type hints
    """Two channels per import, named by its address and never by the query; for everybody signed in."""

    def get_channels_for_request(self, request: HttpRequest, view_kwargs: dict[str, object]) -> set[str]:
        """Raises PermissionDenied (403) and Http404 where the base class would answer 200 with an error inside."""
        if not request.user.is_authenticated:
            raise PermissionDenied("Sign in to watch an import.")
        if not Import.objects.filter(public_id=str(view_kwargs["public_id"])).exists():
            raise Http404("There is no such import.")
        return set(super().get_channels_for_request(request, view_kwargs))

    def can_read_channel(self, user: object, channel: str) -> bool:
        return user is not None and _CHANNEL.fullmatch(channel) is not None


def _public_id(channel: str) -> uuid.UUID:
    return uuid.UUID(channel.removeprefix("import-").removeprefix("told-"))
