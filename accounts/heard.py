"""What allauth tells of sign-ins, passwords and second factors, written into the log."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from accounts import audit
from accounts.models import User

_MFA = {
    mfa.authenticator_added: "was added",
    mfa.authenticator_removed: "was removed",
    mfa.authenticator_reset: "was made anew",
}


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.heard")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.heard")
    user_login_failed.connect(_failed, dispatch_uid="accounts.heard")
    mfa.authentication_failed.connect(_failed_code, dispatch_uid="accounts.heard")
    for signal, words in ((account.password_changed, "changed"), (account.password_reset, "set by a link")):
        signal.connect(_password(words), dispatch_uid="accounts.heard", weak=False)
    for signal, words in _MFA.items():
        signal.connect(_second_factor(words), dispatch_uid="accounts.heard", weak=False)


def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    way = "for a program" if request.path.startswith("/_allauth/") else ""
    audit.record(audit.Kind.SIGNED_IN, user, way, request=request)


def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit.record(audit.Kind.SIGNED_OUT, user, request=request)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    email = str(credentials.get("email") or credentials.get("username") or "").replace("\0", "").strip().lower()
    known = User.objects.filter(email=email).first()
    audit.record(audit.Kind.SIGN_IN_FAILED, known, request=request, email=email)


def _failed_code(request: HttpRequest, user: User, **_: Any) -> None:
    audit.record(audit.Kind.SIGN_IN_FAILED, user, "The code of the second factor was wrong", request=request)


def _password(words: str) -> Any:
    def heard(request: HttpRequest, user: User, **_: Any) -> None:
        audit.record(audit.Kind.PASSWORD_CHANGED, user, words, request=request)

    return heard


def _second_factor(words: str) -> Any:
    def heard(request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
        audit.record(audit.Kind.SECOND_FACTOR, user, f"{authenticator} {words}", request=request)

    return heard
