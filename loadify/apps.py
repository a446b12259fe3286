from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class LoadifyConfig(AppConfig):
    name = "loadify"

    def ready(self) -> None:
        # Models can only be imported once all apps are there.
        from loadify import errors, import_events

        import_events.connect()
        errors.tell(settings.SENTRY_DSN, settings.LOADIFY_VERSION)


class AdminConfig(DjangoAdminConfig):
    default_site = "loadify.admin_site.AdminSite"
