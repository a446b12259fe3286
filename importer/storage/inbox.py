"""A bucket into which others put files, which are taken once and moved (LOADIFY_BUCKET)."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from boto3.s3.transfer import TransferConfig
from django.core.files.base import File

from importer.storage.bucket import BucketStorage, sentences

log = logging.getLogger(__name__)


class InboxStorage(BucketStorage):
    """What is said of an object is said of the one with that ETag, whatever somebody puts in its place meanwhile."""

    def objects(self, within: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """The objects of a folder and of those in it, by name, with what the list says of each."""
        return self._named(self.pages(self._prefix(within)))

    def top(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The objects that lie in no folder."""
        return self._named(self.pages(self._prefix(""), "/"))

    def _named(self, pages: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        root = len(self._prefix(""))
        return ((entry["Key"][root:], entry) for page in pages for entry in page.get("Contents", ()))

    def open_version(self, name: str, etag: str) -> "File[bytes]":
        """Open an object to be read. Raises FileNotFoundError when it is not there, or is another one than `etag` says."""
        found = self.head(name)
        if found["ETag"] != etag:
            raise FileNotFoundError(name)
        return self.opened(name, found)

    def copy_once(self, path: str, etag: str, target: str, mark: str) -> bool:
        """Copy an object, unless that has happened under this `mark`; False when `target` is another one. Copies of any size.

        Raises StorageProblem when `path` is not the object of `etag` any more.
        """
        try:
            return bool(self.head(target)["Metadata"].get("loadify") == mark)
        except FileNotFoundError:
            extra = {"CopySourceIfMatch": etag, "Metadata": {"loadify": mark}, "MetadataDirective": "REPLACE"}
            with sentences(path):
                self.client.copy(self.at(path), **self.at(target), ExtraArgs=extra, Config=TransferConfig(use_threads=False))
            return True

    def delete_version(self, path: str, etag: str) -> None:
        """Delete an object, unless somebody has put another one in its place."""
        try:
            if self.head(path)["ETag"] == etag:
                self.delete(path)
        except FileNotFoundError:
            log.debug("%s is gone already.", path)
