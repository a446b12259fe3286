"""compose.yaml, Procfile and .dockerignore fit each other, and what the README says of settings."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SITE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = SITE["services"]
#: The service of each line of Procfile that has another name.
NAMES = {"web": ("web-1", "web-2")}
OURS = {name for name, service in SERVICES.items() if service["image"] == "loadify"}
#: What compose.yaml asks for beside the settings of README.md: how its own servers are reached.
OF_COMPOSE = {
    "POSTGRES_PASSWORD",
    "POSTGRES_SHARED_BUFFERS",
    "RABBITMQ_PASSWORD",
    "STORAGE_SECRET",
    "LOADIFY_TLS",
    "LOADIFY_BIND",
}


def procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: shlex.split(words) for name, _, words in (line.partition(":") for line in lines)}


def test_schema_of_compose_has_nothing_against_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_commands_are_those_of_procfile() -> None:
    for name, words in procfile().items():
        for service in NAMES.get(name, (name,)):
            assert SERVICES[service]["command"] == [word.replace("$PORT", "8000") for word in words], service
    others = OURS - {service for name in procfile() for service in NAMES.get(name, (name,))}
    assert others == {"bucket"}


def test_every_variable_is_explained() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    asked = dict(re.findall(r"\$\{([A-Z_]+)(:[?-])", TEXT))
    known = set(re.findall(r"^\| `([A-Z_]+)` \|", readme, re.MULTILINE))
    given = set(SERVICES["web-1"]["environment"]) - {"TMPDIR"}
    assert (asked.keys() | given) - known == OF_COMPOSE
    assert {name for name in asked if f"`{name}`" not in operations} - known == set()
    # What has no safe default stops the start with a sentence.
    assert {name for name, how in asked.items() if how == ":?"} == {
        *("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "STORAGE_SECRET", "SECRET_KEY", "LOADIFY_WEBHOOK_KEYS"),
        *("ALLOWED_HOSTS", "LOADIFY_URL", "LOADIFY_TLS"),
    }
    assert all(sentence.endswith(".") for sentence in re.findall(r":\?([^}]+)\}", TEXT))


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_or_may_write(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "15s"
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert "/" not in service["image"].partition("/")[2]  # no registry is named


def test_only_nginx_is_reached_from_outside_and_only_from_this_machine() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"nginx"}
    assert all(port.startswith("${LOADIFY_BIND:-127.0.0.1}:") for port in SERVICES["nginx"]["ports"])


def test_processes_wait_for_the_release_and_the_release_for_its_servers() -> None:
    for name in OURS - {"release", "bucket"}:
        assert SERVICES[name]["depends_on"] == {"release": {"condition": "service_completed_successfully"}}
    assert SERVICES["release"]["depends_on"].keys() == {"db", "broker", "bucket"}
    assert SERVICES["nginx"]["depends_on"] == dict.fromkeys(NAMES["web"], {"condition": "service_healthy"})
