"""Addresses of the API; each answers in problem documents, and says 401 where a page would lead to the sign-in."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, include, path, register_converter
from django.urls.converters import PathConverter
from django.views.decorators.csrf import csrf_exempt

from api.docs import docs
from api.idempotency import idempotent
from api.problems import guarded, not_found
from api.v1 import api


class Rest(PathConverter):
    """All of an address, line ends too."""

    regex = "(?s:.+)"


register_converter(Rest, "rest")
patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
for pattern in patterns:
    pattern.callback = login_not_required(guarded(idempotent(pattern.callback), takes_form=pattern.name == "imports"))

urlpatterns = [
    path("api/docs", docs, name="api-docs"),
    path("api/v1/", include((patterns, "api"))),
    path("api/v1/<rest:rest>", csrf_exempt(login_not_required(not_found))),
]
