"""What tests of every part share: services that may be missing, a whole site that runs, and a browser to visit it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import pymysql
import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate
from playwright.sync_api import Browser, Page, expect, sync_playwright

from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.site import Site

# A machine that is busy takes its time; what never comes fails all the same.
expect.set_options(timeout=30_000)

#: Without motion: axe would measure the contrast of a colour that is on its way to another.
WINDOW: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}

_LEFT_BY_IMPORTS = r"""SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r'
    AND relname ~ '^importer_(change|stage|plan|missing|double)_\d+$'"""

REQUIRED = {name.strip() for name in os.environ.get("LOADIFY_REQUIRE", "").split(",")}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("LOADIFY_FULL") != "1":
        seen: set[tuple[Any, ...]] = set()
        spared = [item for item in items if _is_spared(item, seen)]
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in spared]
    # Once a browser runs, Playwright's event loop runs in this thread to the end, and asyncio.run() is refused.
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


def _is_spared(item: pytest.Item, seen: set[tuple[Any, ...]]) -> bool:
    """Whether it runs only with LOADIFY_FULL=1: what is marked so, and what another test stands for.

    Of the looks of a page (widths, light and dark) one is enough: narrow and dark for one page, wide and light for the next. Of
    Redis and Valkey, which are the same to us, Valkey is. Of a long test with several parameters the first ones are run,
    unless it is marked `every`; `seen` are the long tests so far.
    """
    if item.get_closest_marker("whole"):
        return True
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if given.keys() >= {"width", "scheme"}:
        others = sorted(f"{name}={value}" for name, value in given.items() if name not in ("width", "scheme"))
        narrow = crc32(" ".join([item.function.__qualname__, *others]).encode()) % 2 == 0
        return (given["width"] == 390, given["scheme"] == "dark") != (narrow, narrow)
    if given and item.get_closest_marker("slow") and not item.get_closest_marker("every"):
        test = (item.path, getattr(item, "originalname", item.name))
        again = test in seen
        seen.add(test)
        return again
    return "redis" in (given.get("queue_broker"), given.get("own_redis"))


def missing(service: str, sentence: str) -> None:
    """Skip the test for want of a service, or fail it where LOADIFY_REQUIRE names the service or says all."""
    if REQUIRED & {service, "all"}:
        pytest.fail(f"{sentence} LOADIFY_REQUIRE asks for {service}.")
    pytest.skip(sentence)


def _address(service: str, variable: str, default: str) -> str:
    url = os.environ.get(variable) or default
    parts = urlsplit(url)
    try:
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=2).close()
    except OSError:
        missing(service, f"Nothing listens on {parts.hostname}:{parts.port} for {service} ({variable}).")
    return url


@pytest.fixture(autouse=True, scope="session")
def _light_flush() -> Iterator[None]:
    """Emptying the database after a test costs what the test made, not what there is: TRUNCATE makes new files for every
    table and index, each import leaves a table of Changes, and Django would look after permissions that nobody here has."""

    def light(operations: DatabaseOperations, style: object, tables: list[str], **_: Any) -> list[str]:
        names = [operations.quote_name(table) for table in tables]
        rows = [f"SELECT '{name}', (SELECT count(*) FROM (SELECT FROM {name} LIMIT 1001) few)" for name in names]
        with operations.connection.cursor() as cursor:
            cursor.execute(_LEFT_BY_IMPORTS)
            dropped = [f"DROP TABLE {table}" for (table,) in cursor.fetchall()]
            cursor.execute(" UNION ALL ".join(rows))
            found = {name: number for name, number in cursor.fetchall() if number}
        # No table that becomes large is referred to by another one.
        large = [f"TRUNCATE {name}" for name, number in found.items() if number > 1000]
        return [*dropped, *large, *(f"DELETE FROM {name}" for name, number in found.items() if number <= 1000)]

    patch = pytest.MonkeyPatch()
    patch.setattr(DatabaseOperations, "sql_flush", light)
    assert post_migrate.disconnect(create_contenttypes)
    assert post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    return _address("rabbitmq", "RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


@pytest.fixture(scope="session")
def redis_url() -> str:
    return _address("redis", "REDIS_URL", "redis://127.0.0.1:6379/13")


@pytest.fixture(scope="session")
def _mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MariaDB for all tests; the address of its user, who may make databases."""
    tmp_path = tmp_path_factory.mktemp("mariadb")
    # Debian keeps the server where an ordinary user's PATH does not lead.
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if not server or not install:
        missing("mariadb", "There is no MariaDB here; on Debian: apt install mariadb-server.")
    data, socket, port = tmp_path / "mariadb", tmp_path / "s", free_port()
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            str(install),
            "--no-defaults",
            *user,
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (tmp_path / "init.sql").write_text(
        "CREATE USER loadify@'127.0.0.1' IDENTIFIED BY 'loadify'; GRANT ALL ON `loadify%`.* TO loadify@'127.0.0.1';".replace(
            "; ", ";\n"
        )
    )
    options = [f"--datadir={data}", f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1"]
    options += [f"--init-file={tmp_path}/init.sql", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
    with (tmp_path / "mariadb.log").open("wb") as log:
        process = subprocess.Popen([str(server), "--no-defaults", *user, *options], stdout=log, stderr=log)
    try:
        log_of = tmp_path / "mariadb.log"
        assert wait_until(lambda: b"ready for connections" in log_of.read_bytes(), 60), log_of.read_text()
        yield f"mysql://loadify:loadify@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def mariadb_url(_mariadb: str) -> Iterator[str]:
    """A database on MariaDB of this test alone."""
    name, parts = f"loadify_{os.urandom(4).hex()}", urlsplit(_mariadb)
    password = str(parts.password)
    with pymysql.connect(host=parts.hostname, port=parts.port or 0, user=parts.username, password=password) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield f"{_mariadb}/{name}"
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Nothing in this process reaches beyond this machine."""
    patch = pytest.MonkeyPatch()
    near = {"localhost", "127.0.0.1", "::1", "", None}

    def guarded(original: Any, host_of: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            host = host_of(args)
            if isinstance(host, bytes):
                host = host.decode()
            if host not in near and not str(host).startswith("127."):
                raise OSError(f"Tests do not talk to {host}: only this machine is open to them.")
            return original(*args, **kwargs)

        return call

    def host_of_peer(args: Any) -> Any:
        return args[1][0] if args[0].family in (socket.AF_INET, socket.AF_INET6) else None

    patch.setattr(socket.socket, "connect", guarded(socket.socket.connect, host_of_peer))
    patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex, host_of_peer))
    patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda args: args[0]))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole of Loadify as bin/up starts it, in a directory of its own; started once for all tests.

    Its webhooks may go to receivers of this machine, contacts are held for no longer than a test likes to wait, and anybody
    may make an account.
    """
    settings = {"LOADIFY_WEBHOOK_ALLOW_PRIVATE": "1", "LOADIFY_HOLD_SECONDS": "12", "LOADIFY_SIGN_UP": "1"}
    with Site(tmp_path_factory.mktemp("site"), **settings) as site:
        yield site


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    missing("chromium", "There is no Chromium here; on Debian: apt install chromium, or set CHROMIUM to its path.")
    raise AssertionError


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
    # Chromium's own sandbox refuses to run as root.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*quiet, *root])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A fresh window: relative addresses are the site's."""
    context = browser.new_context(base_url=site.url, **WINDOW)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def _signed_in_state(browser: Browser, site: Site) -> Any:
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.fill("input[name=login]", site.email)
    page.fill("input[name=password]", site.password)
    page.click("form[method=post] button[type=submit]")
    page.wait_for_url(lambda url: "/accounts/login" not in url)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def signed_in_page(browser: Browser, site: Site, _signed_in_state: Any) -> Iterator[Page]:
    """A fresh window in which the site's administrator is signed in."""
    context = browser.new_context(base_url=site.url, storage_state=_signed_in_state, **WINDOW)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
