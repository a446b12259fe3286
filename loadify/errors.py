"""Tells Sentry, or what speaks like it, of errors: where they happened and under which ids, and nothing of people's data.

Cells of files, searches and forms hold personal data, and so may the text of an error ("Key (email)=(…) already exists"). So an
event is made anew from the parts that are known to hold none, instead of taking out those that are known to hold some.
"""

from typing import Any

import sentry_sdk

from loadify.logs import PROCESS, context
from loadify.paths import written

_LEFT_OUT = "left out here, as it may hold personal data; the log of the process has it"
#: Parts of an event that are the same for all errors of one version, or made by Sentry's own library.
_KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "sdk", "logger", "modules")
_OF_A_FRAME = ("filename", "module", "function", "lineno", "in_app", "context_line", "pre_context", "post_context")


def tell(dsn: str, version: str) -> None:
    """Begin to tell; does nothing when `dsn` is blank."""
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        release=f"loadify@{version}",
        before_send=without_data,  # type: ignore[arg-type]  # Sentry's type of an event is a dict of ours
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        # Receivers of webhooks get no headers of Sentry's.
        trace_propagation_targets=[],
    )


def without_data(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event without requests' queries, headers and bodies, arguments, local variables, and texts of errors."""
    told = {name: event[name] for name in _KEPT if name in event}
    told["tags"] = {"process": PROCESS, **context()}
    if "transaction" in event:
        told["transaction"] = written(event["transaction"])
    request = event.get("request", {})
    if request:
        told["request"] = {"method": request.get("method"), "url": written(str(request.get("url", "")))}
    if "logentry" in event:
        # The sentence before values are put in.
        record = hint.get("log_record")
        told["logentry"] = {"message": str(record.msg) if record is not None and record.args else _LEFT_OUT}
    told["exception"] = {"values": [_exception(value) for value in event.get("exception", {}).get("values", [])]}
    return told


def _exception(value: dict[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", [])
    kept = [{name: frame[name] for name in _OF_A_FRAME if name in frame} for frame in frames]
    return {"type": value.get("type"), "module": value.get("module"), "value": _LEFT_OUT, "stacktrace": {"frames": kept}}
