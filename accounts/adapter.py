"""What Loadify asks of allauth: nobody signs up by themselves unless the setting says so."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth carries no type hints
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.LOADIFY_SIGN_UP)
