"""What schemathesis is told beside schemathesis.toml."""

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A key is for one request: the same one with another request is refused, and rightly so."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key:
        case.headers["Idempotency-Key"] = f"{key[:223]}{uuid4().hex}"
