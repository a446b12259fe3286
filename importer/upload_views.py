"""Doors for files: the page of a new import, and uploads in parts by tus 1.0 (https://tus.io/protocols/resumable-upload)."""

import base64
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.access import person
from accounts.callers import bearer, caller
from accounts.models import Right
from accounts.rights import needs, refusal
from importer import control, datasets, preview
from importer.forms import NewImport
from importer.intake import uploads as intake
from importer.models import Import, StoredFile
from importer.readers.formats import sniff
from importer.values import BadHeading, ImportProblem
from pages.http import render_part

TUS_VERSION = "1.0.0"
PART_TYPE = "application/offset+octet-stream"

#: What went wrong → the status that says so; 460 is tus's own (checksum mismatch).
STATUSES: dict[type[intake.UploadProblem], int] = {
    intake.TooLarge: 413,
    intake.WrongOffset: 409,
    intake.WrongChecksum: 460,
    intake.Busy: 423,
    intake.Expired: 410,
    intake.DiskFull: 507,
    intake.StorageAway: 503,
    intake.InUse: 403,
}

#: The views are exempt from it, for programs with a bearer token; sessions are checked by hand.
_CSRF = CsrfViewMiddleware(lambda request: HttpResponse(status=403))

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponse]


class BadRequest(Exception):
    """A header that tus asks for is missing or cannot be read; carries the status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.IMPORT)
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a new import, or go on with a file that is here (`upload`) or comes along (`file`)."""
    form = NewImport(request.POST, request.FILES) if request.method == "POST" else NewImport(initial=_wanted(request))
    if form.is_valid():
        try:
            return _go_on(request, _file_of(request, form), form.cleaned_data["dataset"])
        except StoredFile.DoesNotExist:
            form.add_error("file", "The file that was sent is not here any more. Choose it again.")
        except ImportProblem as problem:
            form.add_error("file", str(problem))
    context = {
        "form": form,
        "datasets": datasets.all(),
        "form_limit": settings.LOADIFY_FORM_LIMIT,
        "largest": settings.LOADIFY_MAX_FILE_SIZE,
    }
    return render_part(request, "importer/new.html", "importer/_new_form.html", context, status=422 if form.is_bound else 200)


def _wanted(request: HttpRequest) -> dict[str, str]:
    """The dataset that a link leads here for."""
    return {"dataset": name} if (name := request.GET.get("dataset")) else {}


def _file_of(request: HttpRequest, form: NewImport) -> StoredFile:
    if form.cleaned_data["upload"]:
        file = intake.find(person(request), form.cleaned_data["upload"])
        intake.complete(file)
        return file
    return intake.keep(person(request), form.cleaned_data["file"].name, form.cleaned_data["file"])


def _go_on(request: HttpRequest, file: StoredFile, dataset: str) -> HttpResponse:
    """Start the import when there is nothing to ask and nobody wants to `look` first; else to the page that asks."""
    with preview.opened(file) as content:
        try:
            plan = preview.first_plan(content, datasets.get(dataset), sniff(content, file.name), file.name)
        except BadHeading:
            plan = None
    if "look" in request.POST or plan is None or not plan.is_perfect():
        return redirect(f"{reverse('import-prepare', args=[file.public_id])}?{urlencode({'dataset': dataset})}")
    run = control.submit(file, dataset, person(request), Import.Mode.AUTO, layout=plan.dataset.as_layout)
    return redirect("import", run.public_id)


def tus(view: View[Rest]) -> View[Rest]:
    """What all tus requests share: the version, no redirect to the login page, and problems as status and sentence."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        try:
            response = _checked(request, view, *args, **kwargs)
        except BadRequest as problem:
            response = _sentence(problem.status, str(problem))
        except ObjectDoesNotExist:
            response = _sentence(404, "There is no such upload; perhaps it was cancelled, or never yours.")
        except intake.UploadProblem as problem:
            response = _sentence(STATUSES[type(problem)], str(problem))
            if response.status_code == 503:
                response["Retry-After"] = "10"
        response["Tus-Resumable"] = TUS_VERSION
        response["Cache-Control"] = "no-store"
        return response

    return login_not_required(csrf_exempt(answer))


def _checked(request: HttpRequest, view: View[Rest], *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
    if request.method == "OPTIONS":
        return _options()
    _sign_in(request)
    if request.headers.get("Tus-Resumable") != TUS_VERSION:
        response = _sentence(412, f"This server speaks tus {TUS_VERSION} only; say so in the header Tus-Resumable.")
        response["Tus-Version"] = TUS_VERSION
        return response
    return view(request, *args, **kwargs)


def _sign_in(request: HttpRequest) -> None:
    """See to it that `request.user` may upload: by a bearer token, or by a session with its CSRF token. Raises BadRequest."""
    if bearer(request) is not None:
        found = caller(request)
        if found is None:
            raise BadRequest(401, "The token is not good, or not any more.")
        request.user = found.user
        if not found.may(Right.IMPORT):
            raise BadRequest(403, "The role of this person, or the scope of the token, does not go as far as importing.")
        return
    if not request.user.is_authenticated:
        # A redirect to the login page would be followed by the script, and its page taken for an answer.
        raise BadRequest(401, "You are signed out. Sign in again in another tab, then go on here.")
    if _CSRF.process_view(request, new, (), {}) is not None:
        raise BadRequest(403, "The CSRF token is missing or wrong. Reload the page, then go on here.")
    if not person(request).may(Right.IMPORT):
        raise BadRequest(403, refusal(person(request), Right.IMPORT))


@tus
def uploads(request: HttpRequest) -> HttpResponse:
    """POST begins an upload of Upload-Length bytes (tus 1.0, creation)."""
    if _method(request) != "POST":
        return _not_allowed("OPTIONS", "POST")
    size = _number(request, "Upload-Length")
    file = intake.begin(person(request), _filename(request), size)
    response = HttpResponse(status=201)
    response["Location"] = reverse("upload", args=[file.public_id])
    return _described(response, file)


@tus
def upload(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """HEAD tells how far an upload is, PATCH adds a part, DELETE gives it up (tus 1.0, core and termination)."""
    method = _method(request)
    if method == "HEAD":
        return _described(HttpResponse(status=200), intake.find(person(request), public_id))
    if method == "PATCH":
        return _described(HttpResponse(status=204), _take_part(request, public_id))
    if method == "DELETE":
        intake.forget(person(request), public_id)
        return HttpResponse(status=204)
    return _not_allowed("OPTIONS", "HEAD", "PATCH", "DELETE")


def _take_part(request: HttpRequest, public_id: UUID) -> StoredFile:
    if request.content_type != PART_TYPE:
        raise BadRequest(415, f"A part is sent as {PART_TYPE}, not as {request.content_type or 'nothing at all'}.")
    length = _number(request, "Content-Length") if "Content-Length" in request.headers else None
    return intake.append(person(request), public_id, _number(request, "Upload-Offset"), request, length, _checksum(request))


def _method(request: HttpRequest) -> str:
    # tus 1.0: for clients that can only send GET and POST. Only POST may stand for more: GET passes without a CSRF token.
    if request.method == "POST":
        return request.headers.get("X-HTTP-Method-Override", "POST").upper()
    return request.method or ""


def _number(request: HttpRequest, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(400, f"The header {header} is “{text[:40]}”; it must be a whole number of bytes.")
    return int(text)


def _filename(request: HttpRequest) -> str:
    """The name in Upload-Metadata: pairs of a key and a base64 value, parted by commas (tus 1.0, creation)."""
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return base64.b64decode(value.strip(), validate=True).decode()
            except ValueError:
                raise BadRequest(400, "The file name in Upload-Metadata is not UTF-8 text in base64.") from None
    return "unnamed"


def _checksum(request: HttpRequest) -> intake.Checksum | None:
    """The header Upload-Checksum: a name and a base64 digest (tus 1.0, checksum)."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    name, _, value = text.strip().partition(" ")
    if name not in intake.CHECKSUMS:
        raise BadRequest(400, f"The checksum “{name[:40]}” is not known here; {' and '.join(intake.CHECKSUMS)} are.")
    try:
        return intake.Checksum(name, base64.b64decode(value.strip(), validate=True))
    except ValueError:
        raise BadRequest(400, "The digest in Upload-Checksum is not base64.") from None


def _described(response: HttpResponse, file: StoredFile) -> HttpResponse:
    response["Upload-Offset"] = str(file.received)
    response["Upload-Length"] = str(file.size)
    response["Upload-Metadata"] = "filename " + base64.b64encode(file.name.encode()).decode()
    if file.expires_at:
        response["Upload-Expires"] = http_date(file.expires_at.timestamp())
    return response


def _options() -> HttpResponse:
    headers = {
        "Tus-Version": TUS_VERSION,
        "Tus-Extension": "creation,expiration,termination,checksum",
        "Tus-Max-Size": str(settings.LOADIFY_MAX_FILE_SIZE),
        "Tus-Checksum-Algorithm": ",".join(intake.CHECKSUMS),
    }
    return HttpResponse(status=204, headers=headers)


def _not_allowed(*methods: str) -> HttpResponse:
    response = _sentence(405, f"This address takes {', '.join(methods)}.")
    response["Allow"] = ", ".join(methods)
    return response


def _sentence(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(sentence + "\n", status=status, content_type="text/plain; charset=utf-8")
