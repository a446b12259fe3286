"""The catalogue as CSV: what stands in it, and that it costs nobody anything while it is on its way."""

import asyncio
import csv
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import psutil
import pytest
from django.db import connection
from django.test import AsyncClient, Client

from accounts.models import User
from products import exports
from products.models import Product
from tests.importer.conftest import Load
from tests.importer.live_web import Web, cookie_of

#: About 0.5 kB a row.
MAKE = """
INSERT INTO products_product (sku, sku_key, name, description, active, created_at, updated_at)
SELECT 'S-' || lpad(n::text, 7, '0'), 's-' || lpad(n::text, 7, '0'), 'Name ' || n, repeat('wide and steady ', 28),
       true, now(), now()
FROM generate_series(1, %s) n
"""


def make(rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [rows])


def cells(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))


def in_a_loop(work):
    """Playwright keeps a loop running in the main thread, for as long as a browser is open."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work)).result()


@pytest.mark.django_db
def test_export_has_the_columns_of_an_import_in_the_order_of_keys(editor: Client) -> None:
    Product.objects.create(sku="b", name="=1+1", description="two\nlines", active=False)
    Product.objects.create(sku="A", name='5" pipe, long', description=" -x", active=True)
    Product.objects.create(sku="-12", name="é😀", description="")
    answer = editor.get("/products/export.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="products-2')
    content = answer.getvalue()
    assert content.endswith(b"\r\n")
    assert cells(content) == [
        ["sku", "name", "description", "active"],
        ["-12", "é😀", "", "true"],
        ["A", '5" pipe, long', "' -x", "true"],
        ["b", "'=1+1", "two\nlines", "false"],
    ]


@pytest.mark.django_db
def test_export_of_a_search_holds_what_the_search_finds(editor: Client) -> None:
    for sku in ("red-1", "red-2", "blue"):
        Product.objects.create(sku=sku, name="", description="")
    page = editor.get("/products/", {"q": "red"})
    assert 'href="/products/export.csv?q=red"' in page.text and "Download these as CSV" in page.text
    assert [row[0] for row in cells(editor.get("/products/export.csv?q=red").getvalue())] == ["sku", "red-1", "red-2"]
    assert editor.get("/products/export.csv?q=x%00").headers["Location"] == "/products/?q=x%00"


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [0, 1, 6, 7])
def test_export_in_pieces_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(exports, "PIECE", 3)
    make(rows)
    content = b"".join(exports.csv(Product.objects.all()))
    assert [row[0] for row in cells(content)[1:]] == [f"S-{number:07}" for number in range(1, rows + 1)]


@pytest.mark.django_db(transaction=True)
def test_export_of_the_real_site_is_the_same(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PIECE", 3)
    make(10)
    visitor = AsyncClient()
    visitor.force_login(anna)

    async def fetch() -> bytes:
        answer = await visitor.get("/products/export.csv")
        assert answer.is_async
        return b"".join([piece async for piece in answer])

    assert in_a_loop(fetch()) == b"".join(exports.csv(Product.objects.all()))


@pytest.mark.django_db(transaction=True)
def test_export_can_be_imported_again_and_changes_nothing(load: Load) -> None:
    load('sku,name,description,active\nA/1,One,"two\r\nlines",yes\nb\'2,"say ""hi""",,no\n😀,é, x ,yes\n')
    run = load(b"".join(exports.csv(Product.objects.all())))
    assert (run.state, run.lines, run.unchanged) == ("done", 3, 3)


@pytest.mark.django_db(transaction=True)
def test_connection_is_given_back_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PIECE", 3)
    make(7)
    pieces = exports.csv(Product.objects.all())
    next(pieces)
    seen = 0
    for _ in pieces:
        assert connection.connection is None
        seen += 1
    assert seen == 3


# --- the real server -----------------------------------------------------------------------------------------------


@pytest.fixture
def web(transactional_db: None) -> Iterator[Web]:
    with Web() as web:
        yield web


def ask(web: Web, cookie: str) -> socket.socket:
    line = socket.socket()
    # A small window, so that the server soon sees that nobody reads.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    line.settimeout(30)
    line.connect(("127.0.0.1", web.port))
    request = f"GET /products/export.csv HTTP/1.0\r\nHost: 127.0.0.1\r\nCookie: sessionid={cookie}\r\n\r\n"
    line.sendall(request.encode())
    return line


def connections_of(web: Web, idle: bool = True) -> int:
    """Those to the database; without `idle`, those that are at a statement or within a transaction."""
    assert web.process is not None
    ports = {link.laddr.port for link in psutil.Process(web.process.pid).net_connections("tcp") if link.raddr and link.laddr}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT client_port FROM pg_stat_activity WHERE client_port IS NOT NULL AND (%s OR state <> 'idle')", [idle]
        )
        return len(ports & {port for (port,) in cursor.fetchall()})


def memory(web: Web) -> float:
    """MB that the web process holds for itself."""
    assert web.process is not None
    return psutil.Process(web.process.pid).memory_full_info().uss / 1e6


@pytest.mark.slow
def test_slow_reader_of_100_000_products_costs_neither_memory_nor_a_connection(web: Web, anna: User) -> None:
    make(100_000)
    cookie = cookie_of(anna)
    with ask(web, cookie) as warm:
        # To its end: who leaves early may leave a thread that keeps its connection for the next request.
        while warm.recv(1 << 20):
            pass
    before = memory(web)
    with ask(web, cookie) as line:
        head = line.recv(4096)
        assert b" 200 " in head.splitlines()[0]
        time.sleep(3)
        # All of it would be 50 MB; a piece is 2.5 MB, and a thread that did not serve the first request takes some of its own.
        assert memory(web) - before < 30
        assert connections_of(web) == 0
        content = head
        while part := line.recv(1 << 20):
            content += part
    body = content.partition(b"\r\n\r\n")[2]
    assert body.count(b"\r\n") == 100_001
    assert body.endswith(b"true\r\n")
    assert memory(web) - before < 35


def test_reader_who_leaves_early_ends_the_export(web: Web, anna: User) -> None:
    make(30_000)
    cookie = cookie_of(anna)
    assert web.process is not None
    process = psutil.Process(web.process.pid)
    ask(web, cookie).close()
    for _ in range(3):
        with ask(web, cookie) as line:
            line.recv(4096)
    time.sleep(1)
    busy = process.cpu_times().user
    time.sleep(1)
    assert process.cpu_times().user - busy < 0.3
    # Who leaves before the first piece comes leaves a thread that keeps its connection for the next request.
    assert connections_of(web, idle=False) == 0
