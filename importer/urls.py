"""Addresses of the importer: imports, their live events, uploads in parts, and exports."""

from django.urls import path

from importer import control_views, download_views, export_views, prepare_views, review_views, upload_views, views

urlpatterns = [
    path("imports/", views.index, name="imports"),
    path("imports/new/", upload_views.new, name="import-new"),
    path("imports/prepare/<uuid:public_id>/", prepare_views.prepare, name="import-prepare"),
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
    path("imports/<uuid:public_id>/rejects.csv", download_views.rejects_csv, name="import-rejects-csv"),
    path("imports/<uuid:public_id>/file", download_views.original, name="import-file"),
    path("imports/<uuid:public_id>/kept/", views.kept, name="import-kept"),
    path("imports/<uuid:public_id>/control/", control_views.part, name="import-control"),
    path("imports/<uuid:public_id>/pause/", control_views.press, {"verb": "pause"}, name="import-pause"),
    path("imports/<uuid:public_id>/resume/", control_views.press, {"verb": "resume"}, name="import-resume"),
    path("imports/<uuid:public_id>/retry/", control_views.press, {"verb": "retry"}, name="import-retry"),
    path("imports/<uuid:public_id>/cancel/", control_views.cancel, name="import-cancel"),
    path("imports/<uuid:public_id>/undo/", control_views.undo_import, name="import-undo"),
    path("uploads/", upload_views.uploads, name="uploads"),
    path("uploads/<uuid:public_id>", upload_views.upload, name="upload"),
    path("exports/", export_views.index, name="exports"),
    path("exports/new/", export_views.new, name="export-new"),
    path("exports/<uuid:public_id>/", export_views.show, name="export"),
    path("exports/<uuid:public_id>/file", export_views.file, name="export-file"),
    path("exports/<uuid:public_id>/control/", export_views.part, name="export-control"),
    path("exports/<uuid:public_id>/pause/", export_views.press, {"verb": "pause"}, name="export-pause"),
    path("exports/<uuid:public_id>/resume/", export_views.press, {"verb": "resume"}, name="export-resume"),
    path("exports/<uuid:public_id>/cancel/", export_views.press, {"verb": "cancel"}, name="export-cancel"),
]
