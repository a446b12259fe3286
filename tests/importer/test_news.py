"""News of a long import: one e-mail through a real mail server, and a notice on the pages until its owner has looked."""

import re
import socket
import socketserver
import subprocess
import sys
import threading
from datetime import timedelta
from email import message_from_string
from email.policy import default

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from importer import mails as post
from importer import news, sweep, tasks
from importer.models import Import, StoredFile
from importer.states import State
from tests.importer.workers import ROOT, wait_for, worker_env

pytestmark = pytest.mark.django_db


class Conversation(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs; answers to RCPT are the server's `answers`, first to last, then 250."""

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "RCPT":
                self.say(self.server.answers.pop(0) if self.server.answers else "250 ok")
            elif word == "DATA":
                self.say("354 go on")
                lines = list(iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), "."))
                self.server.mails.append(message_from_string("\n".join(lines), policy=default))
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mails(settings, monkeypatch):
    """A mail server on this machine; what it took."""
    monkeypatch.setattr(post, "_rest_until", 0.0)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.mails, server.answers = [], []
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ada():
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def run(ada):
    file = StoredFile.objects.create(owner=ada, name="spring\n.csv", size=100)
    return Import.objects.create(
        owner=ada,
        file=file,
        dataset="products",
        state=State.DONE,
        lines=1234,
        created=1200,
        rejected=34,
        news=Import.News.ENDED,
        news_at=timezone.now(),
    )


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def banner(client, path="/data/") -> str:
    found = re.search(r'<ul class="messages news".*?</ul>', client.get(path).content.decode(), re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", found[0]).split()) if found else ""


def test_the_owner_gets_one_e_mail_with_counts_and_the_address(mails, run, settings):
    settings.LOADIFY_URL = "https://load.example"
    assert (post.send_due(), post.send_due()) == (1, 0)
    [mail] = mails.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "ada@example.com",
        "loadify@localhost",
        "Import of spring .csv is done",
    )
    told = mail.get_content()
    assert "Your import is done." in told
    assert "Lines:    1,234\n          1,200 created\n          34 rejected" in told
    assert f"https://load.example/imports/{run.public_id}/" in told


def test_two_processes_that_find_the_same_news_send_one_e_mail(mails, run):
    seen = Import.objects.select_related("owner", "file").get()
    assert [post._send(run), post._send(seen)] == [True, False]
    assert len(mails.mails) == 1


@pytest.mark.parametrize(
    ("state", "kind", "subject", "sentence"),
    [
        (State.REVIEW, "review", "is ready for your review", "Your import waits for you: nothing has been written yet."),
        (State.PAUSED, "paused", "was paused", "It is cancelled if nobody resumes it in time."),
        (State.FAILED, "ended", "has failed", "Your import has failed. It broke & <stopped>."),
        (State.CANCELLED, "ended", "was cancelled", "Your import was cancelled."),
        (State.UNDONE, "ended", "was undone", "Your import was undone: 3 rows restored, 2 removed, 1 kept."),
    ],
)
def test_every_kind_of_news_has_its_words(mails, run, state, kind, subject, sentence):
    undone = {"restored": 3, "removed": 2, "kept": 1}
    Import.objects.update(state=state, news=kind, error="It broke & <stopped>." if state == "failed" else "", undo=undone)
    assert post.send_due() == 1
    assert mails.mails[0]["Subject"] == f"Import of spring .csv {subject}"
    assert sentence in " ".join(mails.mails[0].get_content().split())


def test_news_that_is_not_true_any_more_is_not_told(mails, run, client, ada):
    Import.objects.update(state=State.QUEUED, news=Import.News.PAUSED)
    client.force_login(ada)
    assert (post.send_due(), mails.mails, banner(client)) == (0, [], "")


def later(monkeypatch) -> None:
    """As if the process had rested, and the next try were due."""
    monkeypatch.setattr(post, "_rest_until", 0.0)
    Import.objects.update(mail_not_before=timezone.now() - timedelta(seconds=1))


def test_a_mail_server_that_is_away_is_asked_again_later(mails, run, settings, monkeypatch):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert post.send_due() == 0
    run.refresh_from_db()
    assert run.mailed_at is None
    settings.EMAIL_PORT = port
    assert (post.send_due(), mails.mails) == (0, [])  # this process rests
    monkeypatch.setattr(post, "_rest_until", 0.0)
    assert (post.send_due(), mails.mails) == (0, [])  # every process does
    later(monkeypatch)
    assert (post.send_due(), len(mails.mails)) == (1, 1)


@pytest.mark.parametrize(("hours", "pause"), [(0, 120), (1, 1800), (9, 3600)])
def test_an_e_mail_is_tried_again_less_and_less_often(mails, run, hours, pause):
    Import.objects.update(news_at=timezone.now() - timedelta(hours=hours))
    mails.answers = ["451 later"]
    assert post.send_due() == 0
    run.refresh_from_db()
    assert abs((run.mail_not_before - timezone.now()).total_seconds() - pause) < 60


def test_what_could_not_be_sent_for_a_day_is_given_up_and_the_log_says_so(mails, run, caplog):
    Import.objects.update(news_at=timezone.now() - post.GIVE_UP + timedelta(minutes=50))
    mails.answers = ["451 later"]
    assert post.send_due() == 0
    run.refresh_from_db()
    assert run.mailed_at is not None
    assert "it is given up" in caplog.text
    Import.objects.update(mailed_at=None, mail_not_before=None, news_at=timezone.now() - post.GIVE_UP - timedelta(seconds=1))
    assert (post.send_due(), mails.mails) == (0, [])


def test_a_recipient_refused_for_good_is_given_up_and_one_refused_for_now_is_not(mails, run, monkeypatch, caplog):
    mails.answers = ["451 later", "550 nobody of that name"]
    assert post.send_due() == 0
    run.refresh_from_db()
    assert run.mailed_at is None
    later(monkeypatch)
    assert post.send_due() == 0
    run.refresh_from_db()
    assert run.mailed_at is not None
    assert "given up" in caplog.records[-1].message
    later(monkeypatch)
    assert (post.send_due(), mails.mails) == (0, [])


def test_one_e_mail_that_cannot_be_made_does_not_keep_the_others(mails, run, ada):
    ada.email = "a da@exa mple@com"
    ada.save()
    bob = User.objects.create_user("bob@example.com", role="editor")
    other = Import.objects.create(owner=bob, dataset="products", state=State.DONE, news="ended", news_at=timezone.now())
    assert (post.send_due(), [mail["To"] for mail in mails.mails]) == (1, ["bob@example.com"])
    run.refresh_from_db()
    other.refresh_from_db()
    assert (run.mailed_at, other.mailed_at is None) == (None, False)


@pytest.fixture
def silent(settings):
    """A mail server that takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        yield server


@pytest.mark.django_db(transaction=True)
def test_the_e_mail_of_a_process_that_is_killed_while_it_sends_is_sent_by_another(mails, silent, run, settings, monkeypatch):
    env = worker_env() | {"EMAIL_HOST": settings.EMAIL_HOST, "EMAIL_PORT": str(settings.EMAIL_PORT)}
    code = "import django; django.setup(); from importer import mails; mails.send_due()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env) as process:
        silent.settimeout(60)
        call, _ = silent.accept()
        process.kill()
    call.close()
    settings.EMAIL_HOST, settings.EMAIL_PORT = mails.server_address
    assert (post.send_due(), mails.mails) == (0, [])
    later(monkeypatch)
    assert (post.send_due(), len(mails.mails)) == (1, 1)
    assert (post.send_due(), len(mails.mails)) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_the_timetable_does_not_wait_for_a_mail_server(silent, run, monkeypatch):
    monkeypatch.setattr(post, "_rest_until", 0.0)
    tasks.mail()
    silent.settimeout(60)
    call, _ = silent.accept()
    # The thread waits for the server to speak, and nobody waits for the thread.
    assert post._one_round.locked()
    tasks.mail()
    sweep.sweep()
    call.close()
    wait_for(lambda: not post._one_round.locked(), 60)
    run.refresh_from_db()
    assert (run.mailed_at, run.mail_not_before is None) == (None, False)


def test_the_notice_stands_on_pages_until_the_import_was_looked_at(client, ada, run):
    client.force_login(ada)
    assert banner(client) == "Your import of spring .csv is done."
    assert 'title="1 with news for you"' in client.get("/products/").content.decode()
    assert banner(client, f"/imports/{run.public_id}/") == ""
    assert banner(client) == ""
    run.refresh_from_db()
    assert run.seen_at is not None


def test_only_the_owner_sees_the_notice_and_only_the_owner_ends_it(client, ada, run):
    client.force_login(User.objects.create_user("staff@example.com", role="admin"))
    assert banner(client) == ""
    client.get(f"/imports/{run.public_id}/")
    client.force_login(ada)
    assert banner(client) == "Your import of spring .csv is done."


def test_news_newer_than_what_was_seen_stays(ada, run):
    Import.objects.update(news_at=timezone.now() + timedelta(seconds=1))
    news.see(run, ada)
    run.refresh_from_db()
    assert run.seen_at is None


def test_a_page_asks_once_for_any_number_of_notices(client, ada, run):
    client.force_login(ada)
    with CaptureQueriesContext(connection) as one:
        client.get("/cards/")
    for _ in range(7):
        Import.objects.create(
            owner=ada, file=run.file, dataset="products", state=State.DONE, news="ended", news_at=timezone.now()
        )
    with CaptureQueriesContext(connection) as many:
        shown = client.get("/cards/").content.decode()
    assert len(many) == len(one)
    assert len([query for query in one if "seen_at" in query["sql"]]) == 1
    assert shown.count("Your import of") == 6


def test_pages_of_errors_do_not_ask_for_news(client, ada, run):
    client.force_login(ada)
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/no/such/page/").status_code == 404
    assert not [query for query in asked if "importer_import" in query["sql"]]
