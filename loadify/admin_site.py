"""The site's `/admin/`: for the role admin, through the sign-in of the site, and only for looking."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

from accounts.models import Right, User
from accounts.rights import needs
from pages.admin import ReadOnlyAdmin


class AdminSite(admin.AdminSite):
    site_title = site_header = "Loadify"
    index_title = "What is in the database"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: type[Model] | Iterable[type[Model]], admin_class: Any = None, **options: Any) -> None:
        """Leaves out what libraries bring along: it could be changed there, and it shows secrets (allauth's second factors)."""
        if admin_class is not None and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.may(Right.ADMIN)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return needs(Right.ADMIN)(super().admin_view(view, cacheable))

    @method_decorator(needs(Right.ADMIN))
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Who is signed out is led to the site's sign-in by the middleware, to its throttle and second factor."""
        return redirect("admin:index")

    # Nothing calls these two but the router, which takes any answer.
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")
