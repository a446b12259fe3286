"""`python -m bench.peers.timed PEER FILE` lets one peer load the file, and prints its seconds as JSON.

Python's start and that of Django are not counted.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")


def main() -> None:
    django.setup()
    peer = importlib.import_module(f"bench.peers.{sys.argv[1]}")
    began = time.perf_counter()
    peer.load(Path(sys.argv[2]), os.environ["DATABASE_URL"])
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
