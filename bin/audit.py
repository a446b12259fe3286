"""Asks a service of known vulnerabilities about every pinned package, and says so when none can be asked.

pip-audit by itself ends well when its service knows none of the packages, as a mirror of the index does (decision 0019).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("pypi", "osv")
COMMAND = ["pip-audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "--format", "json"]


def ask(service: str) -> list[dict[str, Any]]:
    """What a service says of each package: {name, version, vulns: [{id, aliases, fix_versions}]} or {name, skip_reason};
    nothing when it cannot be asked."""
    command = [*COMMAND, "--vulnerability-service", service, "--requirement", str(ROOT / "requirements-dev.txt")]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return []
    return found


def main() -> int:
    found: list[dict[str, Any]] = []
    for service in SERVICES:
        found = ask(service)
        if any("vulns" in package for package in found):
            break
    known = [package for package in found if "vulns" in package]
    unknown = [package["name"] for package in found if "vulns" not in package]
    if not known:
        print(
            "No service of known vulnerabilities could be asked from here, so nothing is known of the pinned packages:"
            " run bin/check where one of them can be reached (pip-audit says which there are).",
            file=sys.stderr,
        )
        return 0
    for package in known:
        for problem in package["vulns"]:
            mended = " or ".join(problem["fix_versions"]) or "no version yet"
            names = ", ".join([problem["id"], *problem["aliases"]])
            print(f"{package['name']} {package['version']} has {names}; mended in {mended}.", file=sys.stderr)
    if unknown:
        print(f"pip-audit looked at {len(known)} packages, and not at {', '.join(unknown)}.", file=sys.stderr)
    return int(any(package["vulns"] for package in known))


if __name__ == "__main__":
    sys.exit(main())
