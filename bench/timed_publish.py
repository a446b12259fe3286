"""`python -m bench.timed_publish FILE` sends a file of people through the queue and prints rows per second of that phase;
without FILE it deletes the queues of LOADIFY_QUEUE_PREFIX."""

import os
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup()

# The models can only be imported after Django is set up.
from django.conf import settings  # noqa: E402
from kombu import Connection  # noqa: E402

from importer import control, runner  # noqa: E402
from importer.broker.letters import dead_queue, results_queue, rows_queue  # noqa: E402
from importer.intake import uploads  # noqa: E402
from importer.options import Options  # noqa: E402
from importer.states import State  # noqa: E402


def publish(path: Path) -> float:
    with path.open("rb") as stream:
        file = uploads.keep(owner=None, name=path.name, stream=stream)
    run = control.submit(file, "people", owner=None, options=Options(queue=True))
    runner.run(run.pk)
    run.refresh_from_db()
    if run.state != State.CONSUMING:
        raise SystemExit(f"{run.state}: {run.error}")
    return float(run.published / run.seconds[State.PUBLISHING])


def clear() -> None:
    with Connection(settings.BROKER_URL) as broker:
        channel = broker.channel()
        for queue in (rows_queue("people"), dead_queue(rows_queue("people")), results_queue()):
            if settings.BROKER_URL.startswith("amqp"):
                channel.queue_delete(queue)
            else:
                channel.client.delete(queue, f"{queue}.taken", f"{queue}.taken.at")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(publish(Path(sys.argv[1])))
    else:
        clear()
