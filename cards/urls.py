"""Addresses of cards; an id may hold any character that can be shown, slashes too."""

from django.urls import path

from cards import views

urlpatterns = [
    path("cards/", views.index, name="cards"),
    path("cards/<path:card_id>/", views.timeline, name="card"),
]
