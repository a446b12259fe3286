"""What this thread is working on, for whoever writes the log: the engine says it, and knows nothing of logs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[Mapping[str, str]] = ContextVar("working_on", default={})  # noqa: B039  nobody changes it


@contextmanager
def working_on(**ids: object) -> Iterator[None]:
    """Name what the block is about: `working_on(import_id=…)`. Threads that it starts need a copy of the context."""
    token = _ids.set({**_ids.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _ids.reset(token)


def ids() -> Mapping[str, str]:
    """The names and ids of what this thread is working on."""
    return _ids.get()
