"""Addresses of webhooks."""

from django.urls import path

from webhooks import log_views, views

urlpatterns = [
    path("webhooks/", views.index, name="webhooks"),
    path("webhooks/new/", views.new, name="webhook-new"),
    path("webhooks/<uuid:public_id>/", log_views.show, name="webhook"),
    path("webhooks/<uuid:public_id>/edit/", views.edit, name="webhook-edit"),
    path("webhooks/<uuid:public_id>/switch/", views.switch, name="webhook-switch"),
    path("webhooks/<uuid:public_id>/rotate/", views.rotate, name="webhook-rotate"),
    path("webhooks/<uuid:public_id>/secret/", views.secret, name="webhook-secret"),
    path("webhooks/<uuid:public_id>/delete/", views.delete, name="webhook-delete"),
    path("webhooks/<uuid:public_id>/test/", log_views.test, name="webhook-test"),
    path("webhooks/<uuid:public_id>/replay/", log_views.replay, name="webhook-replay"),
    path("webhooks/<uuid:public_id>/deliveries/<int:pk>/", log_views.delivery, name="webhook-delivery"),
    path("webhooks/<uuid:public_id>/deliveries/<int:pk>/resend/", log_views.resend, name="webhook-resend"),
]
