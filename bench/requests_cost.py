"""`python -m bench.requests_cost`: what a request costs the web process, with our handler and with Django's own."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import requests

from bench.place import Place, place
from loadify.embedded import free_port
from loadify.processes import wait_until

#: Django's own handler, and a connection for each request, as Django has it unless told otherwise.
PLAIN = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
from django.conf import settings
settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
from django.core.asgi import get_asgi_application
application = get_asgi_application()
"""
MAKE_TOKEN = """
from accounts import tokens
from accounts.models import Right, User
user = User.objects.create_user("bench@example.com", role="admin")
print(tokens.make(user, "bench", list(Right))[1])
"""
ADDRESSES = ("/accounts/login/", "/api/v1/datasets", "/api/v1/products?limit=25", "/api/v1/imports?limit=25")


@contextmanager
def web(application: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A web process; its address and itself."""
    port = free_port()
    command = [sys.executable, "-m", "loadify.web", "-b", "127.0.0.1", "-p", str(port), application]
    path = f"{folder}:{os.environ.get('PYTHONPATH', '')}"
    environ = os.environ | {"PYTHONPATH": path, "LOADIFY_API_RATE": "0", "ALLOWED_HOSTS": "127.0.0.1"}
    with (folder / "web.log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        if not wait_until(lambda: process.poll() is not None or _answers(url), 60) or process.poll() is not None:
            raise SystemExit(f"The web process did not start:\n{(folder / 'web.log').read_text()[-2000:]}")
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/accounts/login/", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def _cost(session: requests.Session, url: str, process: psutil.Process, times: int) -> tuple[float, float]:
    """Milliseconds of CPU of the web process, and milliseconds of waiting, for one request."""
    before, began = sum(process.cpu_times()[:2]), time.perf_counter()
    for _ in range(times):
        session.get(url, timeout=30).raise_for_status()
    waited = time.perf_counter() - began
    return (sum(process.cpu_times()[:2]) - before) / times * 1000, waited / times * 1000


def measure(here: Place, rounds: int, times: int) -> list[dict[str, object]]:
    (here.folder / "plain_site.py").write_text(PLAIN)
    here.run("manage.py", "import_file", "products", str(here.sample(2000)))
    token = here.run("manage.py", "shell", "--no-imports", "-c", MAKE_TOKEN).split()[-1]
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    found = []
    with ExitStack() as leave:
        sites = [leave.enter_context(web(name, here.folder)) for name in ("plain_site:application", "loadify.asgi:application")]
        for address in ADDRESSES:
            costs = [[_cost(session, url + address, process, times) for url, process in sites] for _ in range(rounds)]
            ratios = [ours[0] / plain[0] for plain, ours in costs]
            middle = [[statistics.median(row[arm][value] for row in costs) for value in (0, 1)] for arm in (0, 1)]
            found.append({"address": address, "plain": middle[0], "ours": middle[1], "ratio": statistics.median(ratios)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=100, help="requests of each arm in a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with place() as here:
        found = measure(here, options.rounds, options.times)
    if options.json:
        print(json.dumps(found))
        return
    print("| address | Django's own: CPU, waiting (ms) | ours | ours × CPU |\n|---|---|---|---|")
    for row in found:
        (plain_cpu, plain_wait), (cpu, wait) = row["plain"], row["ours"]  # type: ignore[misc]
        print(f"| `{row['address']}` | {plain_cpu:.1f}, {plain_wait:.1f} | {cpu:.1f}, {wait:.1f} | {row['ratio']:.2f} |")


if __name__ == "__main__":
    main()
