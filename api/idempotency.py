"""`Idempotency-Key`: a POST that comes again with the same key gets the answer of the first one, and nothing is done twice.

After draft-ietf-httpapi-idempotency-key-header. Answers are kept for a day, sealed: some of them hold secrets.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.callers import Caller, bearer, caller
from accounts.models import User
from api import rates
from api.models import Answer
from api.problems import FORM_TYPE, problem, too_many
from pages.sealing import by_secret_key

#: How long an answer is kept, and how long a request may be at work before it counts as lost.
KEPT, AT_WORK = timedelta(hours=24), timedelta(minutes=5)
#: Headers that are part of the answer.
_HEADERS = ("Content-Type", "Location", "ETag", "Cache-Control")
_SWEPT = 100
_PURPOSE = "loadify.api.answers"
_KEY = re.compile(r"[!-~]{1,255}")

View = Callable[..., HttpResponse]


def idempotent(view: View) -> View:
    """A view whose POSTs may carry an Idempotency-Key."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST":
            return view(request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            return problem(request, 400, "An Idempotency-Key has 1 to 255 visible ASCII characters, and no space.")
        who = _who(request)
        return _once(request, who, key, lambda: view(request, *args, **kwargs)) if who else view(request, *args, **kwargs)

    return answer


def _once(request: HttpRequest, who: Caller, key: str, work: Callable[[], HttpResponse]) -> HttpResponse:
    fingerprint = _fingerprint(request, who)
    stored = _taken(who.user, key, fingerprint)
    if stored is None:
        return _kept(who.user, key, work)
    if stored.request != fingerprint:
        return problem(request, 422, "This Idempotency-Key was used for another request; take a new one for each.")
    if stored.status is None:
        response = problem(request, 409, "The first request with this Idempotency-Key is still being worked on.")
        response["Retry-After"] = "1"
        return response
    try:
        request.rate = rates.count_person(who.user)  # type: ignore[attr-defined]
    except rates.TooMany as exc:
        return too_many(request, exc)
    response = HttpResponse(by_secret_key(_PURPOSE).decrypt(bytes(stored.body)), status=stored.status, headers=stored.headers)
    response["Idempotent-Replayed"] = "true"
    return response


def _taken(user: User, key: str, fingerprint: str) -> Answer | None:
    """What is remembered of a key; None when there is nothing, and this request has the key now."""
    now = timezone.now()
    mine = Answer.objects.filter(user=user, key=key)
    mine.filter(at__lt=now - KEPT).delete()
    mine.filter(status=None, at__lt=now - AT_WORK).delete()
    try:
        with transaction.atomic():
            Answer.objects.create(user=user, key=key, request=fingerprint)
    except IntegrityError:
        return mine.first()
    return None


def _kept(user: User, key: str, work: Callable[[], HttpResponse]) -> HttpResponse:
    mine = Answer.objects.filter(user=user, key=key)
    try:
        response = work()
    except BaseException:
        mine.delete()
        raise
    # What went wrong on our side, or was refused for the moment, may be tried again with the same key.
    if response.status_code >= 500 or response.status_code in (401, 403, 429) or response.streaming:
        mine.delete()
        return response
    headers = {name: response[name] for name in _HEADERS if name in response}
    mine.update(status=response.status_code, headers=headers, body=by_secret_key(_PURPOSE).encrypt(response.content))
    old = Answer.objects.filter(at__lt=timezone.now() - KEPT).order_by("at").values_list("pk", flat=True)[:_SWEPT]
    Answer.objects.filter(pk__in=list(old)).delete()
    return response


def _who(request: HttpRequest) -> Caller | None:
    if bearer(request) is not None:
        return caller(request)
    return Caller(request.user) if isinstance(request.user, User) else None


def _fingerprint(request: HttpRequest, who: Caller) -> str:
    """sha256 of what makes a request the same one: the token and the role, too, for others may have fewer rights."""
    digest = hashlib.sha256()
    token = who.token.prefix if who.token else ""
    parts = [text.encode() for text in (request.get_full_path(), token, who.user.role)]
    if request.content_type == FORM_TYPE:
        parts += [repr(sorted(request.POST.lists())).encode()]
        for name in sorted(request.FILES):
            file = request.FILES[name]
            assert isinstance(file, UploadedFile)
            content = hashlib.sha256()
            for chunk in file.chunks():
                content.update(chunk)
            file.seek(0)
            parts.append(f"{name} {file.name} {content.hexdigest()}".encode())
    else:
        parts.append(request.body)
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()
