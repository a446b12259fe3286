"""Whose turn it is: small before large, nobody before others for long, hands that are kept for small files, places in line."""

from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from importer import control, relay, stopping, sweep, tasks, turns
from importer.models import DatasetLock, Heartbeat, Import, StoredFile
from importer.states import State
from importer.turns import Hands, Place
from tests.importer.workers import Workers, finish, submit, wait_for, write_sample

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 2**20
LARGE = 101 * MIB
ANY = Hands(free=1, for_large=True)
_numbers = count()


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob@example.com", name="Bob", role="editor")


def queued(owner: User | None = None, size: int = 1000, ago: float = 0, **fields: Any) -> Import:
    """An import that was queued `ago` seconds ago."""
    file = StoredFile.objects.create(name=f"{next(_numbers)}.csv", size=size)
    at = turns.turn_of(size) - timedelta(seconds=ago)
    return Import.objects.create(**{"file": file, "dataset": "products", "owner": owner, "turn_at": at} | fields)


def running(owner: User | None = None, size: int = 1000, worker: str = "here:1:2", **fields: Any) -> Import:
    run = queued(owner, size, **{"state": State.STAGING, **fields})
    lease = Now() + timedelta(seconds=60)
    Heartbeat.objects.create(run=run, attempt=0, worker=worker, beat_at=Now(), lease_until=lease)
    return run


def taken(free: Hands = ANY) -> Import | None:
    attempt = turns.take(free)
    return attempt.run if attempt else None


def order() -> list[int]:
    return list(turns.places())


def test_small_file_goes_before_a_large_one_that_came_earlier(ada: User) -> None:
    large, small = queued(size=LARGE, ago=60), queued()
    assert (taken(), taken(), taken()) == (small, large, None)
    # Also when its owner has had more of late.
    running(ada)
    large, small = queued(size=LARGE, ago=100), queued(ada)
    Import.objects.filter(owner=None).exclude(pk=large.pk).delete()
    assert order() == [small.pk, large.pk]


def test_large_file_that_has_waited_a_second_for_each_mib_goes_before_later_ones() -> None:
    """A stream of small files must not keep it out for ever."""
    large, small = queued(size=LARGE, ago=102), queued()
    assert order() == [large.pk, small.pk]


def test_smaller_of_two_large_files_goes_first() -> None:
    larger, large = queued(size=9 * LARGE), queued(size=LARGE)
    assert order() == [large.pk, larger.pk]


def test_who_has_fewest_imports_of_late_goes_first(ada: User, bob: User) -> None:
    running(ada)
    first, second = queued(ada, ago=50), queued(bob)
    assert order() == [second.pk, first.pk]
    # With one hand nobody has a running one when it is chosen: what ended counts as well.
    Import.objects.filter(state=State.STAGING).update(state=State.DONE, finished_at=timezone.now())
    assert order() == [second.pk, first.pk]
    Import.objects.filter(state=State.DONE).update(finished_at=timezone.now() - timedelta(minutes=11))
    assert order() == [first.pk, second.pk]


def test_one_hand_is_kept_for_small_files(settings: Any) -> None:
    settings.LOADIFY_WORKERS = 2
    assert turns.hands("here:1:") == Hands(free=2, for_large=True)
    running(size=LARGE)
    free = turns.hands("here:1:")
    assert free == Hands(free=1, for_large=False)
    large, small = queued(size=LARGE, ago=500), queued()
    assert (taken(free), taken(free)) == (small, None)
    assert turns.hands("here:2:") == Hands(free=2, for_large=True), "another worker's hands"
    assert taken(turns.hands("here:2:")) == large
    settings.LOADIFY_WORKERS = 1
    assert turns.hands("here:3:") == Hands(free=1, for_large=True), "there is no hand to keep"


def test_no_file_is_large_when_the_setting_says_so(settings: Any) -> None:
    settings.LOADIFY_WORKERS, settings.LOADIFY_LARGE_FILE = 2, 0
    running(size=LARGE)
    assert turns.hands("here:1:") == Hands(free=1, for_large=True)


def test_person_has_no_more_running_imports_than_allowed(settings: Any, ada: User, bob: User) -> None:
    settings.LOADIFY_PERSON_IMPORTS = 1
    other = running(ada)
    first, second = queued(ada, ago=500), queued(bob)
    assert turns.places() == {second.pk: Place(1, 1), first.pk: Place(2, 1, own=1)}
    assert (taken(), taken()) == (second, None)
    Import.objects.filter(pk=other.pk).update(state=State.DONE)
    assert taken() == first
    running(None)
    queued(None)
    assert taken() is None, "what belongs to nobody counts as one person's"


def test_workers_that_choose_at_once_keep_to_the_limit(settings: Any, ada: User) -> None:
    settings.LOADIFY_PERSON_IMPORTS = 1
    for _ in range(4):
        queued(ada)
    together, found = Barrier(4), []

    def choose() -> None:
        try:
            connection.ensure_connection()
            together.wait(10)
            found.append(taken())
        finally:
            connection.close()

    threads = [Thread(target=choose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([run for run in found if run]) == Import.objects.filter(state=State.STAGING).count() == 1


def test_next_in_line_of_a_free_dataset_has_its_turn_too() -> None:
    holder, early = running(), queued(state=State.WAITING, ago=20)
    late, other = queued(state=State.WAITING, ago=10), queued()
    lock = DatasetLock.objects.create(dataset="products", run=holder)
    assert turns.place(early) is None
    assert (taken(), taken()) == (other, None)
    DatasetLock.objects.filter(pk=lock.pk).update(run=None)
    # The later one has to wait for the earlier one, whatever its size: of two files the later one wins.
    assert taken() == early
    Import.objects.filter(pk=early.pk).update(state=State.DONE)
    assert taken() == late


def test_import_that_has_its_dataset_comes_first_whatever_its_size(settings: Any, ada: User) -> None:
    """It was resumed, or its worker died: others wait for it, perhaps for as long as another large file is read."""
    settings.LOADIFY_PERSON_IMPORTS = 1
    running(ada, LARGE)
    small, holder = queued(), queued(ada, LARGE)
    assert order() == [small.pk, holder.pk]
    DatasetLock.objects.create(dataset="products", run=holder)
    assert order() == [holder.pk, small.pk]
    assert taken(Hands(free=1, for_large=False)) == holder


def test_hint_of_one_import_brings_the_one_whose_turn_it_is(submit, monkeypatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("importer.runner.hint", sent.append)
    large, small = submit("sku,name,description\na,One,\n"), submit("sku,name,description\nb,Two,\n")
    StoredFile.objects.filter(pk=large.file_id).update(size=LARGE)
    Import.objects.filter(pk=large.pk).update(turn_at=turns.turn_of(LARGE))
    sent.clear()
    tasks.run(large.pk)
    small.refresh_from_db()
    large.refresh_from_db()
    assert (small.state, large.state) == (State.DONE, State.QUEUED)
    assert sent == [large.pk], "the hand is free again"


def test_submitting_gives_a_place_by_size(submit) -> None:
    run = submit("sku,name,description\na,One,\n" + f"b,{'x' * 100}\n" * 20_000)
    assert 1.5 < (run.turn_at - run.queued_at).total_seconds() < 2.5


def test_single_hand_is_taken_from_a_large_file_that_is_read(settings: Any) -> None:
    settings.LOADIFY_WORKERS = 1
    large = running(size=LARGE, ago=500)
    assert not turns.make_room("here:1:"), "nobody waits"
    other_large = queued(size=LARGE)
    assert not turns.make_room("here:1:"), "a large one waits"
    small = queued()
    assert not turns.make_room("here:2:"), "another worker's import"
    settings.LOADIFY_WORKERS = 2
    assert not turns.make_room("here:1:"), "a hand is kept anyway"
    settings.LOADIFY_WORKERS = 1
    assert turns.make_room("here:1:")
    large.refresh_from_db()
    assert large.wanted == Import.Wanted.YIELD
    assert not turns.make_room("here:1:"), "it was asked already"
    stopping.stop(large, large.wanted)
    assert order() == [small.pk, large.pk, other_large.pk]


def test_large_file_keeps_what_it_got_for_a_while(settings: Any) -> None:
    settings.LOADIFY_WORKERS = 1
    large = running(size=LARGE, ago=500)
    queued()
    Import.objects.filter(pk=large.pk).update(turn_at=timezone.now() - timedelta(seconds=50))
    assert not turns.make_room("here:1:")
    Import.objects.filter(pk=large.pk).update(turn_at=timezone.now() - timedelta(seconds=61), state=State.APPLYING)
    assert not turns.make_room("here:1:"), "it has the dataset"
    Import.objects.filter(pk=large.pk).update(state=State.STAGING, wanted=Import.Wanted.PAUSE)
    assert not turns.make_room("here:1:"), "a person wants something else of it"


@pytest.mark.whole
def test_worker_with_one_hand_does_a_small_file_within_a_large_one(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    workers.env |= {"LOADIFY_WORKERS": "1", "LOADIFY_LARGE_FILE": str(MIB)}
    large_file, small_file = write_sample(tmp_path / "large.csv", 200_000), tmp_path / "small.csv"
    small_file.write_text("sku,name,description\nsmall-1,One,\n")
    with workers:
        large = submit(large_file)
        wait_for(lambda: Import.objects.filter(pk=large.pk, state=State.STAGING, lines__gt=0), 30, workers.said)
        # As if it had been at it for long enough.
        Import.objects.filter(pk=large.pk).update(turn_at=timezone.now() - turns.KEEP)
        small = submit(small_file)
        assert finish(small).state == State.DONE
        large.refresh_from_db()
        assert large.state in (State.QUEUED, State.STAGING)
        assert finish(large).state == State.DONE
    large.refresh_from_db()
    assert (large.attempt, large.lines, large.counted) == (2, 200_000, 200_000)
    assert large.finished_at > small.finished_at


def test_page_list_and_program_are_told_the_place(client: Client, ada: User, bob: User) -> None:
    running(bob)
    first, second = queued(ada, ago=5), queued(ada)
    client.force_login(ada)
    assert "1st in line; 1 import runs now." in " ".join(client.get(f"/imports/{first.public_id}/").content.decode().split())
    assert "2nd in line; 1 import runs now." in " ".join(client.get(f"/imports/{second.public_id}/").content.decode().split())
    assert client.get("/imports/").content.decode().count("in line</strong>") == 2
    assert client.get(f"/api/v1/imports/{second.public_id}").json()["position"] == 2
    items = client.get("/api/v1/imports").json()["items"]
    assert [item["position"] for item in items] == [2, 1, None]


def test_page_says_when_a_person_has_as_many_as_allowed(client: Client, settings: Any, ada: User) -> None:
    settings.LOADIFY_PERSON_IMPORTS = 1
    running(ada)
    run = queued(ada)
    client.force_login(ada)
    page = " ".join(client.get(f"/imports/{run.public_id}/").content.decode().split())
    assert "1 import of the same person runs, as many as one person may have; this one begins when it ends." in page


def test_import_that_waits_for_others_is_not_said_to_lack_a_worker(client: Client, ada: User) -> None:
    client.force_login(ada)
    run = queued(ada, queued_at=timezone.now() - timedelta(minutes=5))
    assert "No worker has taken it up" in client.get(f"/imports/{run.public_id}/").content.decode()
    running()
    assert "No worker has taken it up" not in client.get(f"/imports/{run.public_id}/").content.decode()


def test_viewers_hear_when_the_place_changes() -> None:
    first, second = queued(), queued()
    before = relay.stamps([second.public_id])[second.public_id]
    assert before.place == Place(2, 0)
    assert "2nd in line" in relay.render(second.public_id, before).data
    Import.objects.filter(pk=first.pk).update(state=State.STAGING)
    after = relay.stamps([second.public_id])[second.public_id]
    assert (after.version, after.place) == (before.version, Place(1, 1))
    with CaptureQueriesContext(connection) as asked:
        relay.stamps([first.public_id])
    assert len(asked) == 1, "the queue is looked at only while somebody watches a queued import"


def test_who_waits_for_a_dataset_is_told_how_many_come_before() -> None:
    holder = running()
    early, late = queued(state=State.WAITING), queued(state=State.WAITING)
    DatasetLock.objects.create(dataset="products", run=holder)
    stamp = relay.stamps([late.public_id])[late.public_id]
    assert (stamp.holder, stamp.ahead) == (holder.pk, 1)
    assert "Then 1 other that came before." in " ".join(relay.render(late.public_id, stamp).data.replace("\\n", " ").split())
    control.cancel(early, None, roll_back=False)
    assert relay.stamps([late.public_id])[late.public_id].ahead == 0


def test_sweep_wakes_a_queue_of_which_nobody_heard(submit, monkeypatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("importer.runner.hint", sent.append)
    run = submit("sku,name,description\na,One,\n")
    sent.clear()
    sweep.sweep()
    assert sent == [run.pk]
