"""How processes write their logs: lines for people, or one JSON object per line with the ids of what it is about.

Everybody logs by the standard library; only the last step, the form of a line, is structlog's.
"""

import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog
from celery import current_task
from structlog.stdlib import ProcessorFormatter

from importer.working_on import ids

Line = MutableMapping[str, Any]

LINE = {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}


def process_name(argv: list[str]) -> str:
    """What this process is by the words that started it: web, worker, webhooks, beat, or the name of a command."""
    program, words = Path(argv[0]), argv[1:]
    if program.name == "web.py":
        return "web"
    if "worker" in words and any(word.startswith("webhooks@") for word in words):
        return "webhooks"
    known = [word for word in words if word in ("worker", "beat")]
    if program.name == "manage.py" or not known:
        return words[0][:30] if program.name == "manage.py" and words else program.stem
    return known[0]


PROCESS = process_name(sys.argv)


def with_ids(_: Any, __: str, line: Line) -> Line:
    """Say which request, import, export and task a line is about, and which process wrote it."""
    line.update(process=PROCESS, **context())
    return line


def context() -> Mapping[str, str]:
    """Names and ids of what this thread is at."""
    task = {"task": current_task.name, "task_id": current_task.request.id} if current_task else {}
    return {**ids(), **{name: str(value) for name, value in task.items() if value}}


def access(_: Any, __: str, line: Line) -> Line:
    """The parts of a request that loadify/web.py hands over, as fields."""
    record = line.get("_record")
    line.update(getattr(record, "request_parts", {}))
    return line


def formatters() -> dict[str, Any]:
    """For LOGGING: "line" and "json"."""
    before = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_ids,
        access,
    ]
    last = [
        ProcessorFormatter.remove_processors_meta,
        # As text, which holds no values of local variables.
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    return {"line": LINE, "json": {"()": ProcessorFormatter, "foreign_pre_chain": before, "processors": last}}
