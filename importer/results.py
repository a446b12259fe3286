"""What the timetable does with what consumers send back: counts tallies, keeps dead letters."""

import logging
import time

from importer import datasets, dead_letters, tallies
from importer.broker.choice import NoQueues, can_queue, connected
from importer.broker.letters import BrokerAway, results_queue
from importer.models import Import
from importer.states import State

log = logging.getLogger(__name__)

#: Messages at a time, and how often one look asks for more.
_MOST, _ROUNDS = 500, 20
#: Seconds between two looks while no import waits for consumers: letters may be replayed long after its end.
_REST = 10.0

_looked_at = 0.0


def look() -> None:
    """Collect what has come, if there is reason to think that something has."""
    global _looked_at
    if not can_queue() or not any(dataset.keeps_first for dataset in datasets.all()):
        return
    waiting = Import.objects.filter(state__in=(State.PUBLISHING, State.CONSUMING)).exists()
    if waiting or time.monotonic() >= _looked_at + _REST:
        _looked_at = time.monotonic()
        try:
            collect()
        except (BrokerAway, NoQueues) as problem:
            log.warning("Nothing can be taken from the broker (%s); results are counted later.", problem)


def collect() -> int:
    """Count and keep all that is there, and return how many messages that were. Raises BrokerAway, NoQueues."""
    found = 0
    with connected() as queues:
        queues.listen([results_queue(), *dead_letters.queue_names()], _MOST)
        for _ in range(_ROUNDS):
            taken = queues.take(wait=0.2)
            if not taken:
                break
            tallies.count(tallies.read(one for one in taken if one.queue == results_queue()))
            dead_letters.keep([one for one in taken if one.queue != results_queue()])
            queues.settle(taken)
            found += len(taken)
    return found
