from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ImporterConfig(AppConfig):
    name = "importer"

    def ready(self) -> None:
        autodiscover_modules("datasets")
