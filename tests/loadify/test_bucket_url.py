"""Addresses of buckets in settings."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from loadify.bucket_url import bucket, overlap


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (
            "s3://key:se%2Fcret@files.example.com/loadify/a/b/?region=eu-central-1",
            {
                "bucket_name": "loadify",
                "location": "a/b",
                "region_name": "eu-central-1",
                "access_key": "key",
                "secret_key": "se/cret",
                "endpoint_url": "https://files.example.com",
            },
        ),
        (
            "s3+http://key:secret@[::1]:9000/loadify",
            {
                "bucket_name": "loadify",
                "location": "",
                "region_name": "us-east-1",
                "access_key": "key",
                "secret_key": "secret",
                "endpoint_url": "http://[::1]:9000",
            },
        ),
        ("s3:///loadify", {"bucket_name": "loadify", "location": "", "region_name": "us-east-1"}),
    ],
)
def test_address_says_where_the_bucket_is(url: str, options: dict[str, str]) -> None:
    assert bucket("STORAGE_URL", url) == options


@pytest.mark.parametrize(
    "url",
    [
        "s3://host",
        "s3://host/",
        "https://host/bucket",
        "s3+http:///bucket",
        "s3://key:secret@host:x/bucket",
        "s3://key:sec\u2100ret@host:x/b",
        "loadify",
    ],
)
def test_what_is_no_address_is_said_without_its_secret(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="STORAGE_URL is no address of a bucket; write it like s3://") as said:
        bucket("STORAGE_URL", url)
    assert "ret@host:x" not in str(said.value)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="knows only “region”"):
        bucket("LOADIFY_BUCKET", "s3:///loadify?zone=1")


@pytest.mark.parametrize(
    ("one", "other", "is_so"),
    [
        ("s3://h/b", "s3://h/b", True),
        ("s3://h/b/files", "s3://h/b", True),
        ("s3://h/b", "s3://h/b/inbox", True),
        ("s3://h/b/files", "s3://h/b/files-of-others", False),
        ("s3://h/b/files", "s3://h/b/inbox", False),
        ("s3://h/b", "s3://h/c", False),
        ("s3://h/b", "s3://g/b", False),
    ],
)
def test_buckets_that_lie_in_each_other(one: str, other: str, is_so: bool) -> None:
    assert overlap(bucket("STORAGE_URL", one), bucket("LOADIFY_BUCKET", other)) is is_so
