"""The profile's form (its rows of login ids, contacts and addresses: rows.py; signing in: sign_in.py)."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import local, pictures
from portal.models.users import User

EARLIEST_BIRTH = date(1900, 1, 1)


class PictureField(forms.FileField):
    """An uploaded picture, re-encoded (pictures.square); False asks for the old one's removal."""

    default_error_messages = {
        "contradiction": _("Either choose a new picture or remove the old one, not both."),
        "empty": _("This file is empty. Choose another."),
    }

    def clean(self, data: Any, initial: Any = None) -> Any:
        cleaned = super().clean(data, initial)
        return pictures.square(cleaned) if isinstance(cleaned, UploadedFile) else cleaned


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg] # no generic at run time
    """What a person is called, looks like, and was born as."""

    avatar = PictureField(label=_("Picture"), required=False, widget=forms.ClearableFileInput)

    class Meta:
        model = User
        fields = (
            "nickname",
            "full_name",
            "first_name",
            "middle_name",
            "last_name",
            "gender",
            "birth_date",
            "nationality",
            "avatar",
        )
        widgets = {"birth_date": DayInput}
        help_texts = {"full_name": _("As you want it written, if that differs from these parts.")}
        error_messages = {"birth_date": {"invalid": _("This is not a date. Write it as year-month-day: 1994-03-12.")}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, token in AUTOCOMPLETE.items():
            self.fields[name].widget.attrs["autocomplete"] = token
        for name, choices in (("gender", User.Gender.choices), ("nationality", local.countries())):
            self.fields[name].choices = [("", _("Not given")), *choices]  # type: ignore[attr-defined]
        self.fields["avatar"].widget.attrs["accept"] = pictures.ACCEPT
        self.fields["birth_date"].widget.attrs.update(min=EARLIEST_BIRTH.isoformat(), max=_today().isoformat())

    def clean_birth_date(self) -> date | None:
        """Between 1900 and today."""
        born: date | None = self.cleaned_data["birth_date"]
        if born and born > _today():
            raise ValidationError(_("This day is still to come. Check the year."))
        if born and born < EARLIEST_BIRTH:
            raise ValidationError(_("This is before 1900. Check the year."))
        return born

    def replaced_picture(self) -> "File[Any] | None":
        """The stored file that saving this form leaves without an owner."""
        return self.initial.get("avatar") or None if "avatar" in self.changed_data else None


AUTOCOMPLETE = {
    "nickname": "nickname",
    "full_name": "name",
    "first_name": "given-name",
    "middle_name": "additional-name",
    "last_name": "family-name",
    "gender": "sex",
    "birth_date": "bday",
    "nationality": "country",
}


def _today() -> date:
    """The latest date it is anywhere on Earth: nobody's birthday is refused for their time zone."""
    return (timezone.now() + timedelta(hours=14)).date()
