"""Makes receivers in every state in a site's database, to be looked at: `manage.py shell -c` calls it."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from webhooks import endpoints
from webhooks.models import Attempt, Delivery, Endpoint, Event, Tally

URL = f"http://127.0.0.1:8009/{'path/' * 20}?key=abc"


def make() -> None:
    """Print the ids of two receivers, sick and gone, and of a delivery of the sick one, as JSON."""
    now = timezone.now()
    soon = now + timedelta(hours=1)
    sick = _receiver("Sick", failures=7, failing_since=now, rests_until=soon, old_secret_until=soon)
    _receiver("Off", active=False)
    gone = _receiver("Gone", active=False, notice="It answered 410 Gone, which asks us to send nothing more.")
    hour = now.replace(minute=0, second=0, microsecond=0)
    for back in range(24):
        Tally.objects.create(endpoint=sick, hour=hour - timedelta(hours=back), delivered=back, failed=back % 3)
    event = Event.objects.create(type="product.created", body=json.dumps({"data": {"product": "x" * 300}}).encode())
    failed = _delivery(sick, event, "failed", now)
    _delivery(gone, event, "delivered", now)
    print(json.dumps({"sick": str(sick.public_id), "gone": str(gone.public_id), "delivery": failed.pk}))


def _receiver(name: str, **fields: Any) -> Endpoint:
    found, _ = endpoints.add(URL, name, ["product.created"], None)
    Endpoint.objects.filter(pk=found.pk).update(**fields)
    return found


def _delivery(endpoint: Endpoint, event: Event, state: str, now: datetime) -> Delivery:
    made = Delivery.objects.create(endpoint=endpoint, event=event, state=state, tries=2)
    common = {"delivery": made, "at": now, "url": "http://127.0.0.1:8009/", "request_headers": {"webhook-id": event.message_id}}
    Attempt.objects.create(number=1, seconds=15, error="It did not answer within 15 seconds.", **common)
    body = "<h1>503</h1> " * 200
    Attempt.objects.create(
        number=2, seconds=0.1, status=503, response_headers={"Server": "y" * 200}, response_body=body, **common
    )
    return made
