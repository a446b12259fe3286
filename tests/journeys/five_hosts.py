"""`python -m tests.journeys.five_hosts FOLDER ROWS`: Loadify on five machines, and what becomes of it when one is cut off.

Two web machines, two workers, and one with the services (PostgreSQL, Valkey, an S3 server), each a network namespace with an
address of its own; nothing of them is shared but that network. An import of ROWS products and one of people through the queue
run, both are followed on both webs; the worker that has the products is cut off the network, and the broker stops for ten
seconds. Prints what was seen, as JSON.

It is to be run as the first process of namespaces of its own, which `isolated` does: when it ends, however it ends, the
kernel ends every process it started and takes the network away. No rights are needed but those to make user namespaces.
"""

import base64
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.elsewhere import ROOT

HOSTS = {"web1": "10.77.0.11", "web2": "10.77.0.12", "worker1": "10.77.0.13", "worker2": "10.77.0.14", "services": "10.77.0.15"}
HERE = "10.77.0.1"
PART = 8 << 20
#: Seconds without a sign of life after which a worker counts as dead; seconds for which the broker is away.
LEASE, OUTAGE = 5, 10
#: Seconds that the whole may take.
BOUND = 240

ISOLATED = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]


def isolated(folder: Path, rows: int) -> dict[str, Any]:
    """Run the story in namespaces of its own, and return what it has seen."""
    command = [*ISOLATED, "--mount-proc", sys.executable, "-m", "tests.journeys.five_hosts", str(folder), str(rows)]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LOADIFY_", "DJANGO_", "PYTEST_"))}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=BOUND + 30)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n{_logs(folder)}"
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def can_isolate() -> bool:
    """Whether this machine lets us make namespaces."""
    test = [*ISOLATED, "sh", "-c", "mount -t tmpfs none /run && ip link add br0 type bridge"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


class Host:
    """A machine of the network. What runs on it is called NAME-PROGRAM, and writes to a log of that name."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.address, self.folder = name, HOSTS[name], folder
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", "lan", "up")
        _ip("-n", name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def run(self, program: str, command: list[str], **more: Any) -> subprocess.Popen[str]:
        env = {**os.environ, "LOADIFY_DATA_DIR": str(self.folder / self.name), "HOSTNAME": self.name}
        (self.folder / self.name).mkdir(exist_ok=True)
        inside = f'hostname {self.name}; exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--uts", "sh", "-c", inside, "sh", *command]
        log = (self.folder / f"{self.name}-{program}.log").open("a")
        return subprocess.Popen(enter, cwd=ROOT, env=env, stderr=log, text=True, **{"stdout": log, **more})

    def cut_off(self) -> None:
        _ip("link", "set", self.name, "down")

    def back(self) -> None:
        _ip("link", "set", self.name, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _logs(folder: Path) -> str:
    ends = [f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-12:]) for log in sorted(folder.glob("*.log"))]
    return "\n".join(ends)


# --- the machine with the services --------------------------------------------------------------------------------


def serve(folder: Path) -> None:
    """PostgreSQL, Valkey and S3 for the network. On standard input: `stop` and `start` the broker."""
    from loadify import servers
    from tests.importer.s3 import S3

    address = HOSTS["services"]
    database = f"postgres://loadify:secret@127.0.0.1:{PORTS['postgres']}/loadify"
    broker = f"redis://:secret@127.0.0.1:{PORTS['valkey']}/0"
    data = folder / "services"
    postgres = servers.postgres(data, database, {"listen_addresses": f"127.0.0.1,{address}", "fsync": "off"})
    access = data / "postgres" / "pg_hba.conf"
    access.write_text(access.read_text() + "host all all 10.77.0.0/24 scram-sha-256\n")
    os.kill(postgres.pid, signal.SIGHUP)
    bind = {"bind": f"127.0.0.1 {address}"}
    valkey = servers.valkey(data, broker, bind)
    S3(address, PORTS["s3"])
    print("serving", flush=True)
    for line in sys.stdin:
        if line.strip() == "stop":
            valkey.stop()
        else:
            valkey = servers.valkey(data, broker, bind)
        print("done", flush=True)


PORTS = {"postgres": 5432, "valkey": 6379, "s3": 9000, "web": 8000}


def settings() -> dict[str, str]:
    """What every machine is told: addresses, and secrets; no folder."""
    at = HOSTS["services"]
    return {
        "DATABASE_URL": f"postgres://loadify:secret@{at}:{PORTS['postgres']}/loadify",
        "BROKER_URL": f"redis://:secret@{at}:{PORTS['valkey']}/0",
        "STORAGE_URL": f"s3+http://key:secret@{at}:{PORTS['s3']}/loadify/site",
        "SECRET_KEY": "five-hosts-" * 5,
        "LOADIFY_WEBHOOK_KEYS": "five-hosts-" * 5,
        "ALLOWED_HOSTS": "*",
        "LOADIFY_LEASE": str(LEASE),
        "LOADIFY_QUEUE_RETURN": "5",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "loadify.settings",
    }


# --- people -------------------------------------------------------------------------------------------------------


class Viewer(threading.Thread):
    """Follows an import on one web machine as a page does, and comes again when the line ends."""

    def __init__(self, host: Host, public_id: str, session: str) -> None:
        super().__init__(daemon=True)
        self.url = f"http://{host.address}:{PORTS['web']}/imports/{public_id}/events"
        self.session, self.states, self.versions = session, list[str](), list[int]()
        self.start()

    def run(self) -> None:
        while not self.has_seen_the_end():
            try:
                self._follow()
            except requests.RequestException:
                time.sleep(0.5)

    def _follow(self) -> None:
        with requests.get(self.url, cookies={"sessionid": self.session}, stream=True, timeout=(3, 30)) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: {"):
                    told = json.loads(line[6:])
                    self.states.append(told["state"])
                    self.versions.append(told["version"])
                    if told["final"]:
                        return

    def has_seen_the_end(self) -> bool:
        return bool(self.states) and self.states[-1] in ("done", "failed", "cancelled")


def upload(webs: list[Host], token: str, path: Path) -> str:
    """Send a file, every other part through another web machine; returns its id."""
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    name = base64.b64encode(path.name.encode()).decode()
    begun = requests.post(
        f"http://{webs[0].address}:{PORTS['web']}/uploads/",
        headers={**headers, "Upload-Length": str(path.stat().st_size), "Upload-Metadata": f"filename {name}"},
        timeout=20,
    )
    begun.raise_for_status()
    place = begun.headers["Location"]
    with path.open("rb") as file:
        for number, part in enumerate(iter(lambda: file.read(PART), b"")):
            answer = requests.patch(
                f"http://{webs[number % 2].address}:{PORTS['web']}{place}",
                data=part,
                headers={
                    **headers,
                    "Upload-Offset": str(number * PART),
                    "Content-Type": "application/offset+octet-stream",
                },
                timeout=60,
            )
            answer.raise_for_status()
    return place.rpartition("/")[2]


def wait_for(what: str, is_so: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited in vain for: {what}.")
        time.sleep(0.1)
    return found


def answers(host: Host) -> bool:
    try:
        return requests.get(f"http://{host.address}:{PORTS['web']}/healthz", timeout=2).ok
    except requests.RequestException:
        return False


# --- the story ----------------------------------------------------------------------------------------------------


def story(folder: Path, rows: int) -> dict[str, Any]:
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    Path("/run/netns").mkdir()
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "lan", "type", "bridge")
    _ip("link", "set", "lan", "up")
    _ip("addr", "add", f"{HERE}/24", "dev", "lan")
    hosts = {name: Host(name, folder) for name in HOSTS}
    webs, workers = [hosts["web1"], hosts["web2"]], [hosts["worker1"], hosts["worker2"]]
    python = sys.executable
    serving = [python, "-m", "tests.journeys.five_hosts", "serve", str(folder)]
    services = hosts["services"].run("all", serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert services.stdin and services.stdout and services.stdout.readline() == "serving\n", "The services do not start."
    os.environ.update(settings())

    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name, count, seed in (("products", rows, 7), ("people", rows // 10, 8)):
        call_command("make_sample", name, str(count), str(folder / f"{name}.csv"), seed=seed, verbosity=0)

    celery = [python, "-m", "celery", "-A", "loadify"]
    for web in webs:
        web.run("web", [python, "-m", "loadify.web", "-b", web.address, "-p", str(PORTS["web"]), "loadify.asgi:application"])
    for worker in workers:
        worker.run("worker", [*celery, "worker", "--loglevel", "INFO", "--without-mingle", "--without-gossip"])
        worker.run("beat", [*celery, "beat", "--loglevel", "INFO", "--pidfile="])
        worker.run("consumer", [python, "manage.py", "consume_rows", "--all"])
    for web in webs:
        wait_for(f"{web.name} answers", lambda web=web: answers(web))

    from accounts import tokens
    from accounts.models import Right, User

    boss = User.objects.create_user("boss@example.com", "quite-long-enough-42", role="admin")
    _, token = tokens.make(boss, "journey", list(Right))
    session = _session(boss)

    from importer import control
    from importer.models import Import, StoredFile
    from importer.options import Options

    seen: dict[str, Any] = {"hosts": len(hosts)}
    began = time.monotonic()
    uploaded = upload(webs, token, folder / "products.csv")
    answer = requests.post(
        f"http://{webs[1].address}:{PORTS['web']}/api/v1/imports",
        json={"upload": uploaded, "dataset": "products", "mode": "apply"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )
    assert answer.status_code == 202, answer.text
    products = Import.objects.get(public_id=answer.json()["id"])
    file = StoredFile.objects.get(public_id=upload(webs, token, folder / "people.csv"))
    people = control.submit(file, "people", boss, options=Options(queue=True))
    viewers = [Viewer(web, str(run.public_id), session) for run in (products, people) for web in webs]

    def now(run: Import) -> Import:
        return Import.objects.select_related("heartbeat").get(pk=run.pk)

    wait_for("a fifth of the lines is read", lambda: now(products).lines >= rows // 5)
    holder = now(products).heartbeat.worker.partition(":")[0]
    hosts[holder].cut_off()
    attempt = now(products).attempt
    seen["cut off at"] = {"worker": holder, "lines": now(products).lines, "state": now(products).state}
    cut_at = time.monotonic()
    wait_for("another worker has it", lambda: now(products).attempt > attempt)
    seen["taken over after"] = round(time.monotonic() - cut_at, 1)
    seen["taken over by"] = now(products).heartbeat.worker.partition(":")[0]
    _tell(services, "stop")
    time.sleep(OUTAGE)
    _tell(services, "start")
    for run in (products, people):
        wait_for(f"the {run.dataset} are done", lambda run=run: now(run).is_final, 120)
    seen["seconds"] = round(time.monotonic() - began, 1)
    before = _tables()
    hosts[holder].back()
    # It finds that its time with the import is over.
    time.sleep(LEASE + 2)
    wait_for("all viewers have seen the end", lambda: all(viewer.has_seen_the_end() for viewer in viewers), 30)
    seen["tables"] = _tables()
    seen["expected"] = _expected(folder)
    seen["stayed so"] = before == seen["tables"]
    for run in (products, people):
        found = now(run)
        names = ("created", "updated", "unchanged", "superseded", "held", "rejected")
        counts = {name: getattr(found, name) for name in ("lines", *names)}
        seen[run.dataset] = {"state": found.state, "error": found.error, "attempt": found.attempt, **counts}
    seen["viewers"] = [{"last": viewer.states[-1], "seen": len(viewer.states)} for viewer in viewers]
    return seen


def _session(user: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


def _tell(services: "subprocess.Popen[str]", order: str) -> None:
    assert services.stdin and services.stdout
    services.stdin.write(f"{order}\n")
    services.stdin.flush()
    assert services.stdout.readline() == "done\n"


def _tables() -> dict[str, Any]:
    """How many rows there are, and a digest of them in the order of their keys."""
    from contacts.models import Person
    from products.models import Product

    products = Product.objects.order_by("sku_key").values_list("sku", "name", "description", "active")
    digest = hashlib.sha256()
    for row in products.iterator():
        digest.update(repr(row).encode())
    return {"products": [len(products), digest.hexdigest()], "people": Person.objects.count()}


def _expected(folder: Path) -> dict[str, Any]:
    """The same, from the files: of lines with the same key the last one is the product, and the first one the person."""
    from importer.values import fold

    last: dict[str, tuple[str, str, str, bool]] = {}
    with (folder / "products.csv").open(newline="", encoding="utf-8-sig") as file:
        for line in csv.DictReader(file):
            active = line.get("active", "").strip().lower()
            last[fold(line["sku"])] = (
                line["sku"],
                line["name"],
                line["description"],
                active not in ("false", "no", "0", "off"),
            )
    digest = hashlib.sha256()
    for key in sorted(last):
        digest.update(repr(last[key]).encode())
    with (folder / "people.csv").open(newline="", encoding="utf-8-sig") as file:
        people = {fold(line["email"]) for line in csv.DictReader(file)}
    return {"products": [len(last), digest.hexdigest()], "people": len(people)}


if __name__ == "__main__":
    signal.alarm(BOUND)
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        print(json.dumps(story(Path(sys.argv[1]), int(sys.argv[2]))))
