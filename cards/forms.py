"""What somebody asks of the lookup, by page or API."""

from django import forms

from cards.cleaners import phone_end
from importer.values import BadValue

#: Longer than any spelling, and short enough for a sentence.
_LONGEST = 100


class LookupForm(forms.Form):
    card_id = forms.CharField(label="Card ID", required=False, max_length=_LONGEST)
    mobile = forms.CharField(label="Mobile number", required=False, max_length=_LONGEST)

    def clean_mobile(self) -> str:
        mobile: str = self.cleaned_data["mobile"]
        if mobile:
            try:
                phone_end(mobile)
            except BadValue as problem:
                raise forms.ValidationError(str(problem)) from None
        return mobile

    @property
    def asks(self) -> bool:
        """False when nothing is asked: valid, but nothing can be found. Only of a valid form."""
        return bool(self.cleaned_data["card_id"] or self.cleaned_data["mobile"])
