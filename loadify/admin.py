"""Leases in the admin: to look at."""

from django.contrib import admin

from loadify.models import Lease
from pages.admin import ReadOnlyAdmin


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "lease_until")
