from django.apps import AppConfig


class LoadifyConfig(AppConfig):
    name = "loadify"

    def ready(self) -> None:
        # Models can only be imported once all apps are there.
        from loadify import import_events

        import_events.connect()
