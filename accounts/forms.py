"""Forms about people and their tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import AuditEntry, Right, Role, User

DAYS = [("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked")]


class NewToken(forms.Form):
    use_required_attribute = False

    name = forms.CharField(
        label="What is it for?", max_length=100, error_messages={"required": "Say what it is for, to know it again later."}
    )
    scopes = forms.MultipleChoiceField(
        label="What may it do?", widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose at least one."}
    )
    days = forms.ChoiceField(label="How long does it work?", choices=DAYS, initial="90", required=False)

    def __init__(self, user: User, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"scopes": [Right.READ]})
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        scopes.choices = [(right.value, right.label) for right in Right if user.may(right)]

    def rights(self) -> list[Right]:
        return [Right(name) for name in self.cleaned_data["scopes"]]

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class NewPerson(forms.Form):
    use_required_attribute = False

    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(label="Name", max_length=150, required=False)
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.VIEWER, widget=forms.RadioSelect)


class AuditFilter(forms.Form):
    """What narrows the log down; everything may be left out."""

    kind = forms.ChoiceField(label="What", required=False, choices=[("", "Everything"), *AuditEntry.Kind.choices])
    who = forms.CharField(label="E-mail address", required=False, max_length=254)
    day = forms.DateField(label="Day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
