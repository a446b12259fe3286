"""The real `manage.py up`; one data directory serves all tests of the file, because starts are slow."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loadify.processes import wait_until
from tests.site import ROOT, Site

pytestmark = pytest.mark.slow

NAMES = ("web", "beat", "webhooks", "consumer", "worker", "valkey", "postgres")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that tests may stop and kill; `up` is running when a test begins."""
    with Site(tmp_path_factory.mktemp("up")) as site:
        yield site


@pytest.fixture
def running(own: Site) -> Site:
    if own.up is None or own.up.poll() is not None:
        own.start()
    return own


def family(site: Site) -> list[psutil.Process]:
    assert site.up is not None
    return psutil.Process(site.up.pid).children(recursive=True)


def up_again(site: Site, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=site.up_env | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_other_commands_reach_the_same_database_and_broker(running: Site) -> None:
    show = (
        "from accounts.models import User; from django.conf import settings; from loadify import celery_app;"
        "answers = celery_app.control.ping(timeout=3);"
        "print(*User.objects.values_list('email', flat=True), sorted(map(list, answers)), settings.DEBUG)"
    )
    answer = running.manage("shell", "--no-imports", "-c", show).stdout
    assert re.fullmatch(rf"{running.email} \[\['celery@[^']+'\], \['webhooks@[^']+'\]\] False\n", answer)


def test_administrator_signs_in(running: Site) -> None:
    session = running.session()
    page = session.get(f"{running.url}/accounts/password/change/", timeout=30)
    assert page.status_code == 200


def test_second_up_of_the_same_data_directory_is_refused(running: Site) -> None:
    again = up_again(running, PORT="1")
    assert again.returncode == 1
    assert f"Loadify runs already with {running.data_dir}." in again.stderr
    assert running.pid("web")


def test_files_with_secrets_are_for_their_owner(running: Site) -> None:
    for name in ("secret-key", "password", "database-url", "broker-url", "log/web.log", "valkey/valkey.conf"):
        assert (running.data_dir / name).stat().st_mode & 0o077 == 0, name


@pytest.mark.parametrize("name", NAMES)
def test_process_that_ends_is_started_again(running: Site, name: str) -> None:
    before = running.pid(name)
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: running.says(f"{name} was ended by SIGKILL"), 60)
    assert wait_until(lambda: running.says(f"{name} runs again."), 120)
    assert running.pid(name) != before
    if name == "postgres":
        assert running.session().get(f"{running.url}/accounts/password/change/", timeout=30).status_code == 200


def test_stop_ends_every_process_in_order_and_the_next_start_finds_what_was_there(running: Site) -> None:
    processes = family(running)
    assert running.stop(signal.SIGINT) == 0
    assert [process for process in processes if process.is_running()] == []
    assert list((running.data_dir / "run").iterdir()) == []
    assert "database system is shut down" in running.log("postgres").splitlines()[-1]
    running.start()
    # The administrator of the first start is still the only one.
    assert not running.says("administrator")


def test_kill_of_the_supervisor_leaves_nothing_in_the_way(running: Site) -> None:
    assert running.up is not None
    processes = family(running)
    running.stop(signal.SIGKILL)
    assert wait_until(lambda: not any(process.is_running() for process in processes), 60)
    running.start()
    assert running.pid("web")


def test_port_in_use_is_said_in_a_sentence(own: Site) -> None:
    own.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = up_again(own, PORT=port)
    assert answer.returncode == 1
    assert f"Port {port} is in use." in answer.stderr
    assert "Traceback" not in answer.stderr


def test_senseless_port_is_said_in_a_sentence(own: Site) -> None:
    own.stop()
    answer = up_again(own, PORT="http")
    assert answer.returncode == 1
    assert "PORT is “http”; write a number from 1 to 65535." in answer.stderr


def test_addresses_of_the_environment_replace_the_embedded_servers(tmp_path: Path, settings: object) -> None:
    with Site(tmp_path, DATABASE_URL=os.environ["DATABASE_URL"], BROKER_URL=os.environ["BROKER_URL"]) as site:
        assert not (tmp_path / "postgres").exists()
        assert not (tmp_path / "valkey").exists()
        assert sorted(path.stem for path in (tmp_path / "run").iterdir()) == ["beat", "consumer", "web", "webhooks", "worker"]
        assert site.session().get(f"{site.url}/accounts/password/change/", timeout=30).status_code == 200
