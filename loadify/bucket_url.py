"""Addresses of buckets, as settings write them: s3://key:secret@host:port/bucket/folder?region=eu-central-1."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def bucket(setting: str, url: str) -> dict[str, Any]:
    """The options of a BucketStorage. Raises ImproperlyConfigured, and never quotes the secret.

    s3:// speaks TLS, s3+http:// does not. Without a host it is Amazon's (s3:///bucket); without key and secret they come from
    where boto3 looks for them: its variables of the environment, the role of the machine.
    """
    wrong = ImproperlyConfigured(
        f"{setting} is no address of a bucket; write it like s3://key:secret@host:port/bucket, or s3+http://… without TLS, "
        "with %2F for / in a secret, %23 for # and %40 for @."
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Its text may quote the secret.
        raise wrong from None
    name, _, folder = parts.path.strip("/").partition("/")
    if parts.scheme not in ("s3", "s3+http") or not name or (parts.scheme == "s3+http" and not parts.hostname):
        raise wrong
    query = parse_qs(parts.query)
    if query.keys() - {"region"}:
        raise ImproperlyConfigured(f"{setting} knows only “region” behind its question mark.")
    options: dict[str, Any] = {"bucket_name": name, "location": folder, "region_name": query.get("region", ["us-east-1"])[0]}
    if parts.username:
        options |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password or "")}
    if parts.hostname:
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        scheme = "http" if parts.scheme == "s3+http" else "https"
        options["endpoint_url"] = f"{scheme}://{host}" + (f":{port}" if port else "")
    return options


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one of two buckets, as options, lies in the other or is the same."""
    if any(one.get(name) != other.get(name) for name in ("endpoint_url", "bucket_name")):
        return False
    first, second = (f"{options['location']}/".lstrip("/") for options in (one, other))
    return first.startswith(second) or second.startswith(first)
