"""Every error of the API as a problem document (RFC 9457): type, title, status, detail, instance, and errors if any."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from accounts.audit import address_of
from api import rates
from importer.storage.parts import StorageProblem

log = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
JSON_TYPES = ("application/json", "application/merge-patch+json")
FORM_TYPE = "multipart/form-data"
#: What a form may hold besides the file, in bytes.
MARGIN = 64 * 1024
TOO_LARGE = (
    f"A form takes files of up to {settings.LOADIFY_FORM_LIMIT:,} bytes; send larger ones in parts to /uploads/ (tus 1.0)."
)


class Error(Schema):
    """What is wrong with one part of a request: of the body (a JSON Pointer, RFC 6901) or of the address."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(Schema):
    """A problem document. `stored` is what stands in the way: the present version of what was to be changed, for example."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Error] | None = None
    stored: dict[str, Any] | None = None


class Invalid(Exception):
    """A form refuses what was sent. `names` says what a field of the form is called in the API."""

    def __init__(self, form: Form, names: Mapping[str, str] | None = None, *, kind: str = "pointer") -> None:
        self.form, self.names, self.kind = form, names or {}, kind
        super().__init__("What was sent cannot be taken.")

    def errors(self) -> Iterator[dict[str, str]]:
        for field, sentences in self.form.errors.items():
            name = self.names.get(field, field)
            place = f"/{name}" if self.kind == "pointer" else name
            yield from ({self.kind: place, "detail": str(sentence)} for sentence in sentences)


class BadToken(AuthenticationError):
    """A bearer token came that is not good, or not any more."""


class Forbidden(Exception):
    """The caller is known and may not do this; the text says why."""


class InTheWay(Exception):
    """What is stored does not go with what is asked: 409, or 412 when the request named a version. Says what is `stored`."""

    def __init__(self, sentence: str, status: int = 409, **more: Any) -> None:
        self.status, self.more = status, more
        super().__init__(sentence)


def problem(request: HttpRequest, status: int, detail: str, **more: Any) -> HttpResponse:
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.path,
        **more,
    }
    body = json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False)
    response = HttpResponse(body, status=status, content_type="application/problem+json")
    if status == 401:
        # RFC 9110 wants a challenge; for this one no browser asks anybody for a password.
        response["WWW-Authenticate"] = 'Bearer realm="Loadify"'
    return response


def guarded(view: View, takes_form: bool = False) -> View:
    """A view of the API that answers in problem documents also where the framework does not, and refuses what is no JSON, nor,
    where one is taken, a form."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        length = request.headers.get("Content-Length") or "0"
        is_form = takes_form and request.method == "POST" and request.content_type == FORM_TYPE
        if length != "0" and request.content_type not in JSON_TYPES and not is_form:
            said = request.content_type or "something without a type"
            return problem(request, 415, f"Send JSON as application/json; this is {said}.")
        if is_form and length.isdecimal() and int(length) > settings.LOADIFY_FORM_LIMIT + MARGIN:
            return problem(request, 413, TOO_LARGE)
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            return not_found(request)
        except (MultiPartParserError, TooManyFilesSent, TooManyFieldsSent):
            return problem(request, 400, "The form cannot be read.")
        if rate := getattr(request, "rate", None):
            # draft-ietf-httpapi-ratelimit-headers-10
            response["RateLimit-Policy"] = f'"minute";q={rate.limit};w=60'
            response["RateLimit"] = f'"minute";r={rate.left};t={rate.seconds}'
        if response.status_code == 405:
            allowed = response["Allow"]
            response = problem(request, 405, f"{request.method} is not for this address; {allowed} would be.")
            response["Allow"] = allowed
        return response

    return answer


def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem(request, 404, "Nothing is at this address.")


def _unknown(request: HttpRequest, sentence: str) -> HttpResponse:
    """The answer to somebody who does not say who they are, as long as not too many such come from where they are."""
    try:
        rates.count_unknown(address_of(request))
    except rates.TooMany as exc:
        return too_many(request, exc)
    return problem(request, 401, sentence)


def too_many(request: HttpRequest, exc: rates.TooMany) -> HttpResponse:
    response = problem(request, 429, str(exc))
    response["Retry-After"] = str(exc.rate.seconds)
    return response


def install(api: NinjaAPI) -> None:
    """Have `api` answer every error so."""

    @api.exception_handler(AuthenticationError)
    def _signed_out(request: HttpRequest, exc: AuthenticationError) -> HttpResponse:
        return _unknown(request, "Sign in first.")

    @api.exception_handler(BadToken)
    def _bad_token(request: HttpRequest, exc: BadToken) -> HttpResponse:
        response = _unknown(request, "The token is not good, or not any more; make a new one, or sign in again.")
        if response.status_code == 401:
            response["WWW-Authenticate"] += ', error="invalid_token"'
        return response

    @api.exception_handler(rates.TooMany)
    def _slower(request: HttpRequest, exc: rates.TooMany) -> HttpResponse:
        return too_many(request, exc)

    @api.exception_handler(Forbidden)
    def _forbidden(request: HttpRequest, exc: Forbidden) -> HttpResponse:
        return problem(request, 403, str(exc))

    @api.exception_handler(HttpError)
    def _http(request: HttpRequest, exc: HttpError) -> HttpResponse:
        words = {
            400: "The body is not JSON.",
            403: "The header X-CSRFToken is missing or wrong; it takes the cookie csrftoken.",
        }
        return problem(request, exc.status_code, words.get(exc.status_code, str(exc)))

    @api.exception_handler(ObjectDoesNotExist)
    @api.exception_handler(Http404)
    def _gone(request: HttpRequest, exc: Http404 | ObjectDoesNotExist) -> HttpResponse:
        return not_found(request)

    @api.exception_handler(RequestDataTooBig)
    def _too_big(request: HttpRequest, exc: RequestDataTooBig) -> HttpResponse:
        return problem(request, 413, "The body is larger than this address takes.")

    @api.exception_handler(ValidationError)
    def _invalid(request: HttpRequest, exc: ValidationError) -> HttpResponse:
        return problem(request, 422, "What was sent cannot be taken.", errors=[_error(found) for found in exc.errors])

    @api.exception_handler(Invalid)
    def _refused(request: HttpRequest, exc: Invalid) -> HttpResponse:
        return problem(request, 422, str(exc), errors=list(exc.errors()))

    @api.exception_handler(InTheWay)
    def _in_the_way(request: HttpRequest, exc: InTheWay) -> HttpResponse:
        return problem(request, exc.status, str(exc), **exc.more)

    @api.exception_handler(StorageProblem)
    def _without_storage(request: HttpRequest, exc: StorageProblem) -> HttpResponse:
        response = problem(request, 503, str(exc))
        response["Retry-After"] = "10"
        return response

    @api.exception_handler(Exception)
    def _broken(request: HttpRequest, exc: Exception) -> HttpResponse:
        log.error("%s %s broke.", request.method, request.path, exc_info=exc)
        return problem(request, 500, "Something went wrong on our side; it is written to the log.")


def _error(found: Mapping[str, Any]) -> dict[str, str]:
    """One finding of pydantic; `loc` is where it is: body or kind of parameter, its name, then the way into it."""
    source, *way = (str(step) for step in found["loc"])
    sentence = f"{found['msg'].removeprefix('Value error, ').rstrip('.')}."
    if source == "body":
        return {"pointer": "".join(f"/{step}" for step in way[1:]), "detail": sentence}
    return {"parameter": way[0], "detail": sentence}
