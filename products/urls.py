"""Addresses of the catalogue."""

from django.urls import path

from products import views

urlpatterns = [
    path("products/", views.index, name="products"),
]
