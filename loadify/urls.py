"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from loadify import health, metrics, operations

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="imports"), name="home"),
    path("", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("", include("importer.urls")),
    path("", include("products.urls")),
    path("", include("cards.urls")),
    path("", include("webhooks.urls")),
    path("", include("api.urls")),
    path("healthz", login_not_required(health.healthz), name="healthz"),
    path("readyz", login_not_required(health.readyz), name="readyz"),
    path("metrics", login_not_required(metrics.metrics), name="metrics"),
    path("operations/", operations.operations, name="operations"),
]

# Django looks for this name.
handler400 = "pages.http.bad_request"
