"""Contacts and people in the admin: to look at; the search is for a whole phone number or e-mail address."""

from django.contrib import admin

from contacts.models import Contact, Person
from pages.admin import ReadOnlyAdmin


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    note = "Contacts come by imports. The search is for a whole phone number (+374…) or e-mail address."
    list_display = ("phone", "name", "email", "created_at", "closed_until")
    search_fields = ("phone__exact", "email__exact")


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    note = "People come by imports. The search is for a whole e-mail address, in small letters."
    list_display = ("email", "name", "created_at", "updated_at")
    search_fields = ("email_key__exact",)
