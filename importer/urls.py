"""Addresses of the importer: imports, their live events, and uploads in parts."""

from django.urls import path

from importer import review_views, upload_views, views

urlpatterns = [
    path("imports/", views.index, name="imports"),
    path("imports/new/", upload_views.new, name="import-new"),
    path("imports/<uuid:public_id>/", views.show, name="import"),
    # The channel is fixed here; django-eventstream's own choice would let the query name any.
    path(
        "imports/<uuid:public_id>/events",
        views.events,
        {"format-channels": ["import-{public_id}"]},
        name="import-events",
    ),
    path("imports/<uuid:public_id>/review/", review_views.review, name="import-review"),
    path("imports/<uuid:public_id>/rejects/", views.rejects, name="import-rejects"),
    path("uploads/", upload_views.uploads, name="uploads"),
    path("uploads/<uuid:public_id>", upload_views.upload, name="upload"),
]
