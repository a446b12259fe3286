"""What a POST of an import carries: a form with the file, or JSON that names an upload."""

import json
import uuid
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest
from ninja import Schema
from ninja.errors import HttpError, ValidationError
from pydantic import ConfigDict
from pydantic import ValidationError as Findings

from accounts.access import person
from accounts.models import User
from api.problems import FORM_TYPE, TOO_LARGE, InTheWay
from importer.intake import uploads
from importer.models import StoredFile
from importer.storage.parts import StorageProblem
from importer.upload_views import STATUSES
from importer.values import ImportProblem


class NewImport(Schema):
    """`dataset` and `layout` may be left out when headings and name of the file tell; `mapping` says {column: heading}.

    `mode` is `apply`, which waits for a person only when there are warnings, or `review`, which always waits.
    """

    model_config = ConfigDict(extra="forbid")

    dataset: str = ""
    layout: str = ""
    mode: Literal["review", "apply"] = "apply"
    mapping: dict[str, str] = {}


class Uploaded(NewImport):
    """`upload` is the id at the end of an upload's address below /uploads/."""

    upload: uuid.UUID


_FIELDS = {
    "dataset": {"type": "string", "default": ""},
    "layout": {"type": "string", "default": ""},
    "mode": {"type": "string", "enum": ["review", "apply"], "default": "apply"},
}


def _schema(name: str, what: dict[str, Any], mapping: dict[str, Any]) -> dict[str, Any]:
    properties = {name: what, **_FIELDS, "mapping": mapping}
    return {"type": "object", "required": [name], "additionalProperties": False, "properties": properties}


#: What the document says of the body: Ninja knows no operation that takes one of two types.
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _schema(
                    "upload",
                    {"type": "string", "format": "uuid"},
                    {"type": "object", "additionalProperties": {"type": "string"}},
                ),
                "example": {"upload": "0198a1b2-1111-7222-8333-444455556666", "dataset": "products"},
            },
            FORM_TYPE: {
                "schema": _schema(
                    "file",
                    {"type": "string", "format": "binary"},
                    {"type": "string", "description": "JSON: {column: heading}"},
                ),
            },
        },
    }
}


def is_form(request: HttpRequest) -> bool:
    return request.content_type == FORM_TYPE


def sent(request: HttpRequest) -> tuple[NewImport, StoredFile]:
    """What a request asks for, and the file: stored now, or uploaded before."""
    if not is_form(request):
        try:
            given = _checked(Uploaded, json.loads(request.body or b"{}"))
        except (ValueError, RecursionError):
            raise HttpError(400, "The body is not JSON.") from None
        return given, _uploaded(person(request), given.upload)
    fields: dict[str, Any] = request.POST.dict()
    content = request.FILES.get("file")
    if content is None or set(request.FILES) != {"file"}:
        raise _invalid("/file", "Send the file as the field “file” of the form, and no other one.")
    if (content.size or 0) > settings.LOADIFY_FORM_LIMIT:
        raise InTheWay(TOO_LARGE, 413)
    if "mapping" in fields:
        try:
            fields["mapping"] = json.loads(fields["mapping"])
        except (ValueError, RecursionError):
            raise _invalid("/mapping", "The mapping is not JSON; write {column: heading}.") from None
    form = _checked(NewImport, fields)
    try:
        return form, uploads.keep(person(request), content.name or "unnamed", content)
    except StorageProblem:
        raise
    except uploads.UploadProblem as problem:
        raise InTheWay(str(problem), STATUSES[type(problem)]) from None


def _uploaded(owner: User, public_id: uuid.UUID) -> StoredFile:
    try:
        file = uploads.find(owner, public_id)
        uploads.complete(file)
    except ObjectDoesNotExist:
        raise _invalid("/upload", f"There is no upload {public_id} of yours; perhaps nobody went on with it in time.") from None
    except StorageProblem:
        raise
    except ImportProblem as problem:
        raise _invalid("/upload", str(problem)) from None
    return file


def _checked(schema: type[Any], fields: Any) -> Any:
    try:
        return schema.model_validate(fields)
    except Findings as problem:
        found = [
            {"loc": ("body", "given", *error["loc"]), "msg": error["msg"], "type": error["type"]} for error in problem.errors()
        ]
        raise ValidationError(found) from None


def unfit(place: str, sentence: str, file: StoredFile) -> InTheWay:
    """The file is here and cannot be imported so; its upload may be named in another try."""
    errors = [{"pointer": f"/{place}", "detail": sentence}]
    return InTheWay(sentence, 422, errors=errors, stored={"upload": file.public_id})


def _invalid(pointer: str, sentence: str) -> InTheWay:
    return InTheWay(sentence, 422, errors=[{"pointer": pointer, "detail": sentence}])
