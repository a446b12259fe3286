"""Works one or two items ahead in a thread: the file is parsed while the database stores what was parsed before."""

import gc
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(
    source: Iterator[T], check: Callable[[], None], give_up: Callable[[], None] = lambda: None, depth: int = 2
) -> Iterator[Iterator[T]]:
    """Iterate over `source` in a thread that is at most `depth` items ahead; its exceptions are raised here.

    `check` is called every second that is spent waiting, and may raise to give up. `give_up` is called at the end; it must
    free a thread that waits for something.

    A thread is enough: the database driver lets go of Python's lock while the server works.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in source:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:
            put(None, error)
        else:
            put(None, StopIteration())

    def items() -> Iterator[T]:
        while True:
            try:
                item, error = ready.get(timeout=1)
            except queue.Empty:
                check()
                continue
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            assert item is not None
            yield item

    thread = threading.Thread(target=work, name="reading ahead", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        stopped.set()
        give_up()
        thread.join()


def apart(call: Callable[[], T], check: Callable[[], None], give_up: Callable[[], None]) -> T:
    """`call()` in a thread; `check` is called while it lasts, as in `ahead`. `give_up` is called only when either raises."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(call)
        try:
            while not wait([future], timeout=0.2).done:
                check()
            return future.result()
        except BaseException:
            give_up()
            raise


@contextmanager
def without_collecting() -> Iterator[None]:
    """Spare Python the search for reference cycles: rows have none, and looking through millions took a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
