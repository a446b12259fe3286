"""Folders: what is finished, who takes it, and watchers as real processes that are killed, stopped, and two at a time."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError

from importer import runner, tasks, unattended
from importer.intake import folder, uploads
from importer.models import Import, StoredFile, uuid7
from importer.storage.folder import FolderStorage
from importer.unattended import Wish
from products.models import Product
from tests.importer.workers import ROOT, wait_for, worker_env

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = "sku,name,description\n"


@pytest.fixture(autouse=True)
def _stored(submit) -> None:
    """Files are stored in a folder of the test."""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return inbox


def put(inbox: Path, name: str, sku: str = "A-1") -> Path:
    path = inbox / name
    path.write_text(f"{HEAD}{sku},Mug,Red\n")
    return path


def take(inbox: Path, quiet: float = 0) -> list[str]:
    return [outcome.name for outcome in unattended.take_all(inbox, quiet, Wish())]


def test_file_is_finished_when_nobody_has_written_to_it_for_a_while(inbox):
    path = put(inbox, "a.csv")
    # As copying does that keeps the time of the original.
    os.utime(path, (1, 1))
    assert folder.finished(inbox, 2) == []
    assert folder.finished(inbox, 0) == ["a.csv"]


def test_file_that_somebody_has_is_left_to_them(inbox):
    put(inbox, "a.csv")
    with folder.claim(inbox, "a.csv") as mine:
        assert mine and mine.place.read_text().startswith(HEAD)
        with folder.claim(inbox, "a.csv") as other:
            assert other is None
        with folder.claim_again(inbox, mine.place) as other:
            assert other is None
        assert take(inbox) == []
    assert take(inbox) == ["a.csv"]


def test_two_who_claim_the_same_file_do_not_both_get_it(inbox, monkeypatch):
    put(inbox, "a.csv")
    flock = folder.fcntl.flock
    quicker = []

    def late(file, how):
        """Somebody takes the file, and is through with it, between our opening and locking it; and another one comes."""
        monkeypatch.setattr(folder.fcntl, "flock", flock)
        quicker.extend(take(inbox))
        put(inbox, "a.csv", "A-2")
        flock(file, how)

    monkeypatch.setattr(folder.fcntl, "flock", late)
    assert take(inbox) == []
    assert quicker == ["a.csv"] and Import.objects.count() == 1
    assert take(inbox) == ["a.csv"]
    for run in Import.objects.all():
        runner.run(run.pk)
    assert list(Product.objects.order_by("sku").values_list("sku", flat=True)) == ["A-1", "A-2"]


def test_file_that_is_written_to_again_while_another_is_imported_is_left(inbox, monkeypatch):
    put(inbox, "a.csv")
    put(inbox, "b.csv")
    submit = unattended.submit

    def meanwhile(*given):
        put(inbox, "b.csv", "B-2")
        return submit(*given)

    time.sleep(1)
    monkeypatch.setattr(unattended, "submit", meanwhile)
    assert take(inbox, 0.9) == ["a.csv"]
    assert folder.finished(inbox, 0) == ["b.csv"]


def test_file_that_is_put_in_the_place_of_another_as_that_is_taken_is_imported(inbox, monkeypatch):
    put(inbox, "a.csv")
    mkdir = Path.mkdir

    def meanwhile(path, *given, **more):
        mkdir(path, *given, **more)
        if path.parent.name == ".taken":
            monkeypatch.setattr(Path, "mkdir", mkdir)
            put(inbox, ".coming", "A-2").rename(inbox / "a.csv")

    monkeypatch.setattr(Path, "mkdir", meanwhile)
    take(inbox)
    take(inbox)
    runner.run(Import.objects.get().pk)
    assert Product.objects.get().sku == "A-2"
    assert (inbox / "done" / "a.csv").read_text() == f"{HEAD}A-2,Mug,Red\n"


def test_link_or_pipe_that_somebody_puts_where_files_are_taken_to_is_not_read(inbox, tmp_path):
    secret = put(tmp_path, "secret.csv", "S-1")
    for number, place in enumerate((uuid7(), uuid7(), "no-id-at-all-x")):
        (inbox / ".taken" / str(place)).mkdir(parents=True)
        if number == 1:
            os.mkfifo(inbox / ".taken" / str(place) / "pipe.csv")
        else:
            (inbox / ".taken" / str(place) / "x.csv").symlink_to(secret)
    put(inbox, "a.csv")
    assert take(inbox) == ["a.csv"]
    assert Import.objects.count() == 1


def test_link_in_place_of_a_file_at_the_last_moment_is_not_followed(inbox, tmp_path, monkeypatch):
    (inbox / "a.csv").symlink_to(put(tmp_path, "secret.csv", "S-1"))
    monkeypatch.setattr(folder, "finished", lambda *_: ["a.csv"])
    (outcome,) = unattended.take_all(inbox, 0, Wish())
    assert outcome.problem == "“a.csv” cannot be taken: Too many levels of symbolic links."
    assert not Import.objects.exists()


def test_network_folder_that_locks_only_what_is_open_for_writing_will_do(inbox, monkeypatch):
    flock = folder.fcntl.flock

    def particular(file, how):
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, how)

    monkeypatch.setattr(folder.fcntl, "flock", particular)
    put(inbox, "a.csv")
    assert take(inbox) == ["a.csv"]
    assert Import.objects.count() == 1


def test_network_folder_that_keeps_a_hidden_name_of_an_open_file_will_do(inbox, monkeypatch):
    unlink = Path.unlink

    def hidden(path, **more):
        (path.parent / ".nfs0001").touch()
        unlink(path, **more)

    monkeypatch.setattr(Path, "unlink", hidden)
    put(inbox, "a.csv")
    (outcome,) = unattended.take_all(inbox, 0, Wish())
    assert outcome.run and not outcome.problem


@pytest.mark.parametrize(
    ("module", "name", "already"),
    [
        (FolderStorage, "append", False),
        (StoredFile, "save", False),
        (unattended, "decide", False),
        (unattended.control, "submit", False),
        (folder.Claimed, "put_away", True),
        (folder.Path, "unlink", True),
    ],
)
def test_what_a_killed_process_has_begun_is_finished_once(inbox, monkeypatch, module, name, already):
    put(inbox, "a.csv")

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            take(inbox)
    assert Import.objects.exists() is already and folder.finished(inbox, 0) == []
    assert take(inbox) == ["a.csv"]
    assert [path.name for path in (inbox / "done").iterdir()] == ["a.csv"]
    assert Import.objects.count() == StoredFile.objects.count() == 1
    assert Import.objects.get().file.sha256 and folder.taken(inbox) == []
    assert take(inbox) == []


def test_import_that_was_begun_stands_whatever_its_file_would_be_taken_for_now(inbox, monkeypatch):
    put(inbox, "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(folder.Claimed, "put_away", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take(inbox)
    monkeypatch.setattr(unattended, "decide", lambda *_: (_ for _ in ()).throw(AssertionError("asked again")))
    assert take(inbox) == ["a.csv"]
    assert (inbox / "done" / "a.csv").exists() and Import.objects.count() == 1


def test_file_is_submitted_once_however_often_it_is_asked_for(inbox):
    with put(inbox, "a.csv").open("rb") as stream:
        file = uploads.keep(None, "a.csv", stream)
    assert unattended.submit(file, Wish())[0] == unattended.submit(file, Wish())[0]
    assert Import.objects.count() == 1


def test_file_waits_while_the_database_is_away(inbox, monkeypatch):
    put(inbox, "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(unattended, "decide", lambda *_: (_ for _ in ()).throw(OperationalError("away")))
        with pytest.raises(OperationalError):
            take(inbox)
    assert [place.name for place in folder.taken(inbox)] == ["a.csv"] and not (inbox / "failed").exists()
    assert take(inbox) == ["a.csv"]
    assert (inbox / "done" / "a.csv").exists()


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="There is no second file system.")
def test_what_is_done_may_lie_on_another_disk(inbox, monkeypatch):
    def full(_, target):
        target.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (inbox / "done").symlink_to(elsewhere)
        put(inbox, "a.csv")
        with monkeypatch.context() as patch:
            patch.setattr(folder.shutil, "copy2", full)
            assert [outcome.waits for outcome in unattended.take_all(inbox, 0, Wish())] == [True]
        assert take(inbox) == ["a.csv"]
        put(inbox, "a.csv", "A-2")
        assert take(inbox) == ["a.csv"]
        found = {path.name: path.read_text()[-12:] for path in Path(elsewhere).iterdir()}
        assert found == {"a.csv": "A-1,Mug,Red\n", "a-2.csv": "A-2,Mug,Red\n"}
    assert Import.objects.count() == 2 and folder.taken(inbox) == []


def test_file_waits_while_the_disk_is_full(inbox, monkeypatch):
    put(inbox, "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(FolderStorage, "append", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        (outcome,) = unattended.take_all(inbox, 0, Wish())
    assert outcome.waits and outcome.is_bad
    assert outcome.problem == "The server's disk is full. “a.csv” could not be kept; try again when there is room."
    assert [place.name for place in folder.taken(inbox)] == ["a.csv"] and not (inbox / "failed").exists()
    assert take(inbox) == ["a.csv"]
    assert (inbox / "done" / "a.csv").exists() and Import.objects.count() == 1


def test_same_content_under_the_same_name_is_imported_again_when_it_comes_again(inbox):
    for _ in range(2):
        put(inbox, "a.csv")
        assert take(inbox) == ["a.csv"]
    assert Import.objects.count() == 2
    assert sorted(path.name for path in (inbox / "done").iterdir()) == ["a-2.csv", "a.csv"]


def test_name_that_is_taken_gets_a_number_also_without_links(inbox, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(folder.os, "link", no_links)
    for number in range(3):
        put(inbox, "a.csv", f"N-{number}")
        assert take(inbox) == ["a.csv"]
    assert sorted(path.name for path in (inbox / "done").iterdir()) == ["a-2.csv", "a-3.csv", "a.csv"]
    assert folder.taken(inbox) == []


@pytest.mark.parametrize("content", [f"{HEAD}A-1,Mug,Red\n", "boat,harbour\nAda,Kiel\n"])
@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "ü" * 125 + ".csv", "a." + "x" * 253])
def test_name_as_long_as_may_be_leaves_room_for_a_number_and_a_reason(inbox, name, content):
    for _ in range(2):
        (inbox / name).write_text(content)
        assert take(inbox) == [name]
    (ended,) = [folder for folder in ("done", "failed") if (inbox / folder).exists()]
    names = {path.name.removesuffix(".reason.txt") for path in (inbox / ended).iterdir()}
    assert len(names) == 2 and all(name.startswith(found[:50]) for found in names)
    assert folder.taken(inbox) == [] and take(inbox) == []


def test_files_that_failed_are_tried_again_when_all_of_failed_is_moved_back(inbox):
    put(inbox, "a.csv").write_text("")
    assert take(inbox) == ["a.csv"]
    for path in list((inbox / "failed").iterdir()):
        path.rename(inbox / path.name)
    assert take(inbox) == ["a.csv"]
    assert sorted(path.name for path in (inbox / "failed").iterdir()) == ["a.csv", "a.csv.reason.txt"]


def test_link_to_nowhere_takes_a_name_too(inbox):
    (inbox / "done").mkdir()
    (inbox / "done" / "a.csv").symlink_to(inbox / "nowhere")
    put(inbox, "a.csv")
    assert take(inbox) == ["a.csv"]
    assert (inbox / "done" / "a-2.csv").exists() and folder.taken(inbox) == []


def test_error_of_ours_puts_the_file_aside_and_the_others_go_on(inbox, monkeypatch):
    decide = unattended.decide

    def stumble(file, wish):
        if file.name == "a.csv":
            raise ZeroDivisionError
        return decide(file, wish)

    monkeypatch.setattr(unattended, "decide", stumble)
    put(inbox, "a.csv")
    put(inbox, "b.csv")
    found = list(unattended.take_all(inbox, 0, Wish()))
    assert [(outcome.name, outcome.is_bad) for outcome in found] == [("a.csv", True), ("b.csv", False)]
    reason = "An error of ours stopped it, not of the file (ZeroDivisionError); the log has it."
    assert (inbox / "failed" / "a.csv.reason.txt").read_text() == f"{reason}\n"


def test_timetable_takes_what_lies_in_the_folder_of_the_settings(inbox, settings):
    settings.LOADIFY_FOLDER, settings.LOADIFY_FOLDER_SETTLE = str(inbox), 0
    put(inbox, "a.csv")
    tasks.scan()
    runner.run(Import.objects.get().pk)
    assert Product.objects.get().sku == "A-1" and (inbox / "done" / "a.csv").exists()
    settings.LOADIFY_FOLDER = str(inbox / "nowhere")
    tasks.scan()


# --- real processes ----------------------------------------------------------------------------------------------------


class Watcher:
    """`manage.py watch_folder` as a process of its own."""

    def __init__(self, inbox: Path, settings, *options: str) -> None:
        self.log = inbox.parent / f"watcher-{time.monotonic_ns()}.log"
        stored = settings.STORAGES["default"]["OPTIONS"]["location"]
        code = (
            "import sys; from django.conf import settings\n"
            "from django.core.management import execute_from_command_line as run\n"
            f"settings.STORAGES['default'] = {{'BACKEND': 'importer.storage.folder.FolderStorage', "
            f"'OPTIONS': {{'location': {str(stored)!r}}}}}; run(['manage.py', *sys.argv[1:]])"
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "watch_folder", str(inbox), *options],
                cwd=ROOT,
                env=worker_env() | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_it_watches(self) -> None:
        wait_for(lambda: "Watching" in self.said() or self.process.poll() is not None, 60, self.said)
        assert self.process.poll() is None, self.said()

    def end(self, signum: int) -> int:
        self.process.send_signal(signum)
        return self.process.wait(30)


@pytest.fixture
def watch(inbox, settings) -> Iterator[object]:
    started: list[Watcher] = []

    def watch(*options: str) -> Watcher:
        started.append(Watcher(inbox, settings, *options))
        return started[-1]

    yield watch
    for watcher in started:
        if watcher.process.poll() is None:
            watcher.end(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_watcher_takes_what_is_there_and_what_comes_and_ends_when_it_is_told(inbox, watch, signum):
    put(inbox, "before.csv")
    watcher = watch("--settle", "0.5")
    watcher.wait_until_it_watches()
    (inbox / "report.csv").write_text("boat,harbour\nAda,Kiel\n")
    put(inbox, "after.csv")
    wait_for(lambda: "report.csv: refused" in watcher.said() and "after.csv →" in watcher.said(), 30, watcher.said)
    assert watcher.end(signum) == 0
    assert sorted(path.name for path in (inbox / "done").iterdir()) == ["after.csv", "before.csv"]
    assert sorted(path.name for path in (inbox / "failed").iterdir()) == ["report.csv", "report.csv.reason.txt"]
    assert "before.csv → Products: submitted as import" in watcher.said()
    assert "Traceback" not in watcher.said()


@pytest.mark.slow
def test_watcher_tells_once_that_a_file_has_to_wait(inbox, watch):
    put(inbox, "a.csv")
    # Nothing can be put away into it.
    (inbox / ".none").touch()
    (inbox / "done").symlink_to(inbox / ".none")
    watcher = watch("--settle", "0")
    wait_for(lambda: "a.csv" in watcher.said(), 30, watcher.said)
    time.sleep(4)
    assert watcher.said().count("a.csv: waits. “a.csv” cannot be taken: File exists.") == 1
    (inbox / "done").unlink()
    wait_for(lambda: "a.csv →" in watcher.said(), 30, watcher.said)
    assert Import.objects.count() == 1 and (inbox / "done" / "a.csv").exists()


@pytest.mark.slow
def test_watcher_that_is_told_to_end_within_an_import_leaves_it_to_the_next(inbox, watch):
    watcher = watch("--settle", "0", "--wait")
    watcher.wait_until_it_watches()
    lines = "".join(f"B-{number},Mug,Red\n" for number in range(60_000))
    (inbox / ".coming").write_text(HEAD + lines)
    (inbox / ".coming").rename(inbox / "big.csv")
    wait_for(lambda: Import.objects.filter(lines__gt=0).exists(), 60, watcher.said)
    assert watcher.end(signal.SIGTERM) == 0
    assert [place.name for place in folder.taken(inbox)] == ["big.csv"]
    following = watch("--settle", "0", "--wait")
    wait_for(lambda: (inbox / "done" / "big.csv").exists(), 60, following.said)
    run = Import.objects.get()
    assert (run.state, run.lines, run.created) == ("done", 60_000, 60_000) and run.attempt >= 2


@pytest.mark.slow
def test_watcher_leaves_a_half_written_file_until_it_is_whole(inbox, watch):
    watcher = watch("--settle", "1.5", "--wait")
    watcher.wait_until_it_watches()
    with (inbox / "slow.csv").open("w") as file:
        file.write(HEAD)
        for number in range(12):
            file.write(f"S-{number},Mug,Red\n")
            file.flush()
            time.sleep(0.25)
            assert not folder.taken(inbox)
    wait_for(lambda: (inbox / "done" / "slow.csv").exists(), 30, watcher.said)
    assert Product.objects.count() == 12
    assert "slow.csv → Products: done, 12 lines = 12 created, 0 updated." in watcher.said()


@pytest.mark.slow
def test_two_watchers_one_killed_again_and_again_import_every_file_once(inbox, watch):
    steady, files = watch("--settle", "0"), 60
    steady.wait_until_it_watches()
    dice = random.Random(5)
    put_so_far = 0
    for _ in range(4):
        shaky = watch("--settle", "0")
        shaky.wait_until_it_watches()
        for _ in range(files // 4):
            # Under another name first, as the README tells.
            put(inbox, ".coming", f"W-{put_so_far}").rename(inbox / f"w-{put_so_far}.csv")
            put_so_far += 1
            time.sleep(dice.uniform(0, 0.03))
        shaky.end(signal.SIGKILL)
    wait_for(lambda: not folder.finished(inbox, 0) and not folder.taken(inbox), 60, steady.said)
    assert steady.end(signal.SIGTERM) == 0
    done = Counter(path.name for path in (inbox / "done").iterdir())
    assert done == Counter(f"w-{number}.csv" for number in range(files))
    imported = Counter(Import.objects.values_list("file__name", flat=True))
    assert imported == Counter(f"w-{number}.csv" for number in range(files))
    assert Import.objects.values("file").distinct().count() == files
