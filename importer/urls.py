"""Addresses of the importer: imports, their live events, and uploads in parts."""

from django.urls import path

from importer import (
    browse_views,
    control_views,
    download_views,
    erase_views,
    held_views,
    prepare_views,
    queue_views,
    review_views,
    upload_views,
    views,
)

urlpatterns = [
    path("data/", browse_views.index, name="data"),
    path("data/<slug:dataset>/", browse_views.rows, name="data-rows"),
    path("data/<slug:dataset>/<int:pk>/", browse_views.row, name="data-row"),
    path("imports/", views.index, name="imports"),
    path("imports/new/", upload_views.new, name="import-new"),
    path("imports/sample/<slug:dataset>.csv", download_views.sample, name="import-sample"),
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
    path("erase/", erase_views.erase, name="erase"),
    path("files/<str:token>", download_views.by_link, name="file-link"),
    path("imports/<uuid:public_id>/kept/", views.kept, name="import-kept"),
    path("imports/<uuid:public_id>/control/", control_views.part, name="import-control"),
    path("imports/<uuid:public_id>/pause/", control_views.press, {"verb": "pause"}, name="import-pause"),
    path("imports/<uuid:public_id>/resume/", control_views.press, {"verb": "resume"}, name="import-resume"),
    path("imports/<uuid:public_id>/retry/", control_views.press, {"verb": "retry"}, name="import-retry"),
    path("imports/<uuid:public_id>/cancel/", control_views.cancel, name="import-cancel"),
    path("imports/<uuid:public_id>/undo/", control_views.undo_import, name="import-undo"),
    path("held/", held_views.index, name="held"),
    path("held/<int:pk>/release/", held_views.decide, {"verb": "release"}, name="held-release"),
    path("held/<int:pk>/discard/", held_views.decide, {"verb": "discard"}, name="held-discard"),
    path("queue/", queue_views.index, name="dead-letters"),
    path("queue/replay/", queue_views.replay, name="dead-letters-replay"),
    path("queue/<int:pk>/replay/", queue_views.replay, name="dead-letter-replay"),
    path("queue/<int:pk>/discard/", queue_views.discard, name="dead-letter-discard"),
    path("uploads/", upload_views.uploads, name="uploads"),
    path("uploads/<uuid:public_id>", upload_views.upload, name="upload"),
]
