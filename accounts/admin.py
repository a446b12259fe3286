"""People, their tokens and the log in the admin: to look at; people are looked after on the pages of people."""

from django.contrib import admin

from accounts.models import AuditEntry, CacheEntry, Token, User
from pages.admin import ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    note = "People are added, given roles and kept out on the page People, which writes it down."
    hidden = ("password",)
    list_display = ("email", "name", "role", "is_active", "joined_at", "last_login")
    list_filter = ("role", "is_active", "joined_at")
    search_fields = ("email", "name")


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    note = "Tokens are made and revoked by their owners, at their profile."
    hidden = ("digest",)
    list_display = ("prefix", "name", "user", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("created_at", "revoked_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__email")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "email", "address", "detail")
    list_filter = ("kind", "at")
    list_select_related = ("person",)
    search_fields = ("email__exact", "address__exact")


@admin.register(CacheEntry)
class CacheEntryAdmin(ReadOnlyAdmin):
    note = "Tries to sign in and to reset passwords, as they are counted."
    hidden = ("value",)
    list_display = ("cache_key", "expires")
    search_fields = ("cache_key",)
