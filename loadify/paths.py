"""Addresses as logs may have them: without queries, and without the tokens of links."""

import re

_TOKEN = re.compile(r"(/files/|/accounts/(?:password/reset/key|confirm-email)/)[^/?]+")


def written(path: str) -> str:
    return _TOKEN.sub(r"\1…", path.partition("?")[0])
