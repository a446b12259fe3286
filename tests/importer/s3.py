"""`python -m tests.importer.s3 PORT`: moto's S3 server on 127.0.0.1, in a process of its own; `S3` starts one for a test."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from loadify.bucket_url import bucket
from loadify.embedded import free_port
from loadify.processes import end_with_parent, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


class S3:
    """A server with an empty bucket called `loadify`; `stop` and `start` lose what is in it, `freeze` does not."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, free_port()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.importer.s3", self.host, str(self.port)],
            cwd=ROOT,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL),
        )
        assert wait_until(self.make_bucket, 60), "moto does not start."

    def make_bucket(self) -> bool:
        try:
            return bool(urlopen(Request(f"http://{self.host}:{self.port}/loadify", method="PUT"), timeout=5).status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def url(self, folder: str = "") -> str:
        return f"s3+http://key:secret@{self.host}:{self.port}/loadify/{folder}"

    def storage(self, folder: str = "") -> Any:
        from importer.storage.bucket import BucketStorage

        return BucketStorage(**bucket("STORAGE_URL", self.url(folder)))


if __name__ == "__main__":
    from moto.server import main

    main(["-H", sys.argv[1], "-p", sys.argv[2]])
