"""Storage in a bucket that speaks S3, reached by every machine in the same way (STORAGE_URL)."""

import base64
import hashlib
import io
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import IO, Any

from boto3 import Session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from importer.storage.parts import Parts, StorageProblem
from importer.storage.ranged import Ranged

log = logging.getLogger(__name__)

#: No part but the last may be smaller (S3's "Multipart upload limits"), in bytes.
SMALLEST_PART = 5 << 20
#: Parts of a file that is sent in one go.
PART = 8 << 20

# Seconds; a person waits for some of these requests, and reading has tries of its own (ranged.py).
_CONNECTING, _READING, _TRIES = 3, 10, 2


class BucketStorage(S3Storage):  # type: ignore[misc]  # django-storages carries no type hints
    """Files that grow are multipart uploads. Each part that tus brings becomes one of S3's; what is too short for that is kept
    beside the file until more has come: `<path>.tail-<number of the part it will be>`.

    `Parts` of such a file: {"id": of the multipart upload, "parts": [[ETag, bytes], …]}.
    """

    def __init__(self, **options: Any) -> None:
        self._client: Any = None
        self._client_of = 0
        self._making = threading.Lock()
        # Other stores than AWS know neither names of buckets in host names nor the newer checksums.
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if options.get("endpoint_url") else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=_CONNECTING,
            read_timeout=_READING,
            retries={"mode": "standard", "max_attempts": _TRIES},
        )
        super().__init__(**{"file_overwrite": False, "client_config": config, **options})

    @property
    def client(self) -> Any:
        """One for all threads of a process (boto3: clients may be shared, resources and sessions may not)."""
        with self._making:
            # What a worker's main process has opened must not be read by the processes it forks.
            if self._client is None or self._client_of != os.getpid():
                session = Session(self.access_key, self.secret_key, self.security_token)
                where = {"region_name": self.region_name, "endpoint_url": self.endpoint_url}
                self._client = session.client("s3", config=self.client_config, verify=self.verify, **where)
                self._client_of = os.getpid()
            return self._client

    # --- what every storage can do ---------------------------------------------------------------------------------

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self.head(name)["ContentLength"])

    def delete(self, name: str) -> None:
        with sentences(name):
            self.client.delete_object(**self.at(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix, folders, files = self._prefix(path), [], []
        for page in self.pages(prefix, "/"):
            folders += [entry["Prefix"][len(prefix) :].rstrip("/") for entry in page.get("CommonPrefixes", ())]
            files += [entry["Key"][len(prefix) :] for entry in page.get("Contents", ()) if entry["Key"] != prefix]
        return folders, files

    def _save(self, name: str, content: IO[bytes]) -> str:
        if content.seekable():
            content.seek(0)
        self.put(name, iter(partial(content.read, PART), b""))
        return name

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        if mode != "rb":
            raise ValueError(f"Objects of a bucket are read, not opened as {mode}.")
        return self.opened(name, self.head(name))

    def opened(self, name: str, found: Any) -> "File[bytes]":
        """An object as `head` has `found` it, to be read; what is read is of that object, or a StorageProblem is raised."""

        def fetch(begin: int, length: int) -> bytes:
            with sentences(name):
                where = {"Range": f"bytes={begin}-{begin + length - 1}", "IfMatch": found["ETag"]}
                body = self.client.get_object(**self.at(name), **where)["Body"]
                with body:
                    return bytes(body.read())

        return RangedFile(Ranged(fetch, found["ContentLength"]), name)

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[dict[str, Any]]:
        """Pages of the list of objects under a prefix, as S3 writes them; while one is looked at, objects may come and go."""
        asked = {"Bucket": self.bucket_name, "Prefix": prefix, "Delimiter": delimiter}
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(**asked))
        while True:
            with sentences("the list"):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def head(self, name: str) -> Any:
        with sentences(name):
            return self.client.head_object(**self.at(name))

    def at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}

    def _prefix(self, path: str) -> str:
        """With what the keys of the objects of a folder begin; "" at the top of a bucket."""
        return f"{self._normalize_name(path).rstrip('/')}/".lstrip("/")

    # --- files that grow -------------------------------------------------------------------------------------------

    def begin(self, path: str) -> None:
        pass

    def append(self, path: str, offset: int, blocks: Iterable[bytes], parts: Parts, size: int) -> tuple[int, Parts]:
        sent: list[list[Any]] = parts.get("parts", [])
        tail = f"{path}.tail-{len(sent) + 1}"
        waiting = self._tail(tail, offset - sum(length for _, length in sent))
        data = b"".join(blocks)
        whole, is_last = waiting + data, offset + len(data) == size
        if is_last and not sent:
            self._put_object(path, whole)
        elif whole and (is_last or len(whole) >= SMALLEST_PART):
            parts = self._send_part(path, parts, whole)
        elif data:
            self._put_object(tail, whole)
        return len(data), parts

    def finish(self, path: str, parts: Parts, size: int) -> None:
        if parts:
            self._complete(path, parts, size)
            for number in range(1, len(parts["parts"]) + 1):
                self.delete(f"{path}.tail-{number}")
        elif size == 0 and not self.exists(path):
            self._put_object(path, b"")
        else:
            self.delete(f"{path}.tail-1")
        if not self._has(path, size):
            raise FileNotFoundError(path)

    def put(self, path: str, blocks: Iterable[bytes]) -> int:
        reader = _Reader(iter(blocks))
        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
        with sentences(path):
            # It takes back what it has sent when the reader raises.
            self.client.upload_fileobj(reader, **self.at(path), Config=config)
        return reader.bytes

    def give_up(self, path: str, parts: Parts) -> None:
        if parts:
            self._abort(self._normalize_name(path), parts["id"])
        for number in range(1, len(parts.get("parts", ())) + 2):
            self.delete(f"{path}.tail-{number}")
        self.delete(path)

    def old(self, folder: str, older: float) -> Iterator[str]:
        before, prefix = datetime.now(UTC) - timedelta(seconds=older), self._prefix(folder)
        for page in self.pages(prefix):
            yield from (entry["Key"][len(prefix) :] for entry in page.get("Contents", ()) if entry["LastModified"] < before)

    def forget_parts(self, older: float, known: Iterable[str]) -> int:
        """Those whose row is gone, or was never made because the process died: storage would keep, and bill, them for ever."""
        keep = {self._normalize_name(path) for path in known}
        before, gone = datetime.now(UTC) - timedelta(seconds=older), 0
        with sentences("uploads"):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket_name, Prefix=self._prefix("uploads")
            ):
                for upload in page.get("Uploads", ()):
                    if upload["Key"] not in keep and upload["Initiated"] < before:
                        self._abort(upload["Key"], upload["UploadId"])
                        gone += 1
        return gone

    def _send_part(self, path: str, parts: Parts, data: bytes) -> Parts:
        with sentences(path):
            upload = parts.get("id") or self.client.create_multipart_upload(**self.at(path))["UploadId"]
            sent = parts.get("parts", [])
            number = {"UploadId": upload, "PartNumber": len(sent) + 1}
            answer = self.client.upload_part(**self.at(path), **number, Body=data, ContentMD5=_md5(data))
        return {"id": upload, "parts": [*sent, [answer["ETag"], len(data)]]}

    def _complete(self, path: str, parts: Parts, size: int) -> None:
        if self._has(path, size):
            # By a process that could not say so any more.
            return
        listed = [{"PartNumber": number, "ETag": etag} for number, (etag, _) in enumerate(parts["parts"], 1)]
        try:
            with sentences(path):
                self.client.complete_multipart_upload(**self.at(path), UploadId=parts["id"], MultipartUpload={"Parts": listed})
        except FileNotFoundError:
            # Joining may take a store longer than an answer is waited for, and asking again finds it done.
            if not self._has(path, size):
                raise

    def _has(self, path: str, size: int) -> bool:
        try:
            return self.size(path) == size
        except FileNotFoundError:
            return False

    def _abort(self, key: str, upload: str) -> None:
        try:
            with sentences(key):
                self.client.abort_multipart_upload(Bucket=self.bucket_name, Key=key, UploadId=upload)
        except FileNotFoundError:
            log.debug("The parts of %s are gone already.", key)

    def _put_object(self, path: str, data: bytes) -> None:
        with sentences(path):
            self.client.put_object(**self.at(path), Body=data, ContentMD5=_md5(data))

    def _tail(self, path: str, length: int) -> bytes:
        """The first `length` bytes of what was too short to be a part. Raises FileNotFoundError when they are not there."""
        if not length:
            return b""
        with sentences(path):
            data = bytes(self.client.get_object(**self.at(path))["Body"].read())
        if len(data) < length:
            raise FileNotFoundError(path)
        # What stands behind them is from a part that nobody was told had arrived.
        return data[:length]


class RangedFile(File):  # type: ignore[type-arg]  # Django knows it without
    """An open object; `interrupt` ends the waiting of another thread that reads while storage is away."""

    def __init__(self, ranged: Ranged, name: str) -> None:
        super().__init__(io.BufferedReader(ranged), name)
        self.interrupt = ranged.interrupt


class _Reader:
    """Blocks as a file that is read once; counts its bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.bytes = 0
        self._blocks, self._left = blocks, b""

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._left], len(self._left)
        while size < 0 or length < size:
            block = next(self._blocks, b"")
            if not block:
                break
            parts.append(block)
            length += len(block)
        data = b"".join(parts)
        taken, self._left = (data, b"") if size < 0 else (data[:size], data[size:])
        self.bytes += len(taken)
        return taken


def _md5(data: bytes) -> str:
    """What S3 compares a body with that it gets (RFC 1864); no secret hangs on it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Turns what boto3 raises into FileNotFoundError or a StorageProblem. Addresses and keys stay in the log."""
    try:
        yield
    except ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        if code in {"404", "NoSuchKey", "NoSuchUpload", "NotFound", "InvalidPart"}:
            raise FileNotFoundError(name) from problem
        log.warning("Storage refuses: %s", problem)
        if code in {"412", "PreconditionFailed"}:
            raise StorageProblem("The file in storage was replaced while it was read.") from problem
        raise StorageProblem(
            f"Storage refuses ({code or 'without a reason'}); whoever runs this site has to look."
        ) from problem
    except BotoCoreError as problem:
        log.warning("Storage does not answer: %s", problem)
        raise StorageProblem("Storage does not answer at the moment; try again shortly.") from problem
