"""What Loadify asks of allauth: who may sign up, and that the keys of second factors are stored sealed."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from pages.sealing import by_secret_key

_PURPOSE = "loadify.accounts.second-factors"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth carries no type hints
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.LOADIFY_SIGN_UP)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Who signs up gets the role of LOADIFY_SIGN_UP_ROLE."""
        user.role = settings.LOADIFY_SIGN_UP_ROLE
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def pre_login(self, request: HttpRequest, user: User, *, signup: bool, **more: Any) -> HttpResponse | None:
        """Who did not sign up was let in by an admin: where addresses have to be confirmed, theirs is."""
        if not signup and not EmailAddress.objects.filter(user=user).exists():
            # Two browsers may sign in for the first time at once.
            EmailAddress.objects.get_or_create(
                user=user, email=user.email.lower(), defaults={"verified": True, "primary": True}
            )
        refused: HttpResponse | None = super().pre_login(request, user, signup=signup, **more)
        return refused


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # as above
    def encrypt(self, text: str) -> str:
        return by_secret_key(_PURPOSE).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return by_secret_key(_PURPOSE).decrypt(encrypted_text.encode()).decode()
