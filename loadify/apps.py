from django.apps import AppConfig


class LoadifyConfig(AppConfig):
    name = "loadify"
