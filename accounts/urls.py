"""Addresses of accounts: signing in (allauth's pages, those that this site has a use for), people, tokens, the log; and signing
in for programs."""

from typing import Any

from allauth.account import views as account
from allauth.headless import urls as headless
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path, re_path

from accounts import views

#: Of allauth's addresses for programs, those that the site has no use for: nobody has a phone or a second address here.
UNUSED = {"manage_email", "manage_phone", "verify_phone", "resend_phone_verification_code"}


def open_to_all(patterns: list[Any]) -> None:
    """Programs that are not signed in get an answer of allauth's, not the page of the sign-in; UNUSED is left out."""
    patterns[:] = [pattern for pattern in patterns if getattr(pattern, "name", None) not in UNUSED]
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            open_to_all(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            pattern.callback = login_not_required(pattern.callback)


open_to_all(headless.urlpatterns)

urlpatterns = [
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/signup/", account.signup, name="account_signup"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/confirm-email/", account.email_verification_sent, name="account_email_verification_sent"),
    re_path(r"^accounts/confirm-email/(?P<key>[-:\w]+)/$", account.confirm_email, name="account_confirm_email"),
    path("accounts/password/change/", account.password_change, name="account_change_password"),
    path("accounts/password/set/", account.password_set, name="account_set_password"),
    path("accounts/password/reset/", account.password_reset, name="account_reset_password"),
    path("accounts/password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("accounts/2fa/", mfa.index, name="mfa_index"),
    path("accounts/2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("accounts/2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/2fa/totp/activate/", totp.activate_totp, name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("accounts/2fa/recovery-codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("accounts/2fa/recovery-codes/generate/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("accounts/2fa/recovery-codes/download/", codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("_allauth/", include("allauth.headless.urls")),
    path("profile/", views.profile, name="profile"),
    path("profile/tokens/new/", views.new_token, name="token-new"),
    path("profile/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    path("people/", views.index, name="people"),
    path("people/new/", views.new_person, name="person-new"),
    path("people/<int:pk>/", views.change_person, name="person-change"),
    path("people/<int:pk>/invite/", views.invite, name="person-invite"),
    path("audit/", views.audit_log, name="audit"),
]
