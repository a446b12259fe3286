"""Addresses of the catalogue; products go by their numbers, because a SKU may hold any character."""

from django.urls import path

from products import edit_views, story_views, views

urlpatterns = [
    path("products/", views.index, name="products"),
    path("products/new/", edit_views.new, name="product-new"),
    path("products/export.csv", views.export, name="products-export"),
    path("products/edits/", story_views.latest, name="product-edits"),
    path("products/delete-all/", story_views.delete_all, name="products-delete-all"),
    path("products/<int:pk>/", story_views.show, name="product"),
    path("products/<int:pk>/row/", views.row, name="product-row"),
    path("products/<int:pk>/active/", views.switch, name="product-switch"),
    path("products/<int:pk>/edit/", edit_views.edit, name="product-edit"),
    path("products/<int:pk>/delete/", edit_views.delete, name="product-delete"),
    path("products/<int:pk>/restore/", edit_views.restore, name="product-restore"),
    path("products/<int:pk>/changes/<int:change_id>/restore/", edit_views.restore_value, name="product-restore-value"),
]
