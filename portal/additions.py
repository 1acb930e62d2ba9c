"""The one thing a consent sheet finds missing in a profile, as a form of its own."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.forms import ProfileForm
from portal.models.users import Address, Contact, LoginId, User
from portal.rows import AddressForm, ContactForm, LoginIdForm, ReachForm
from portal.scopes import CONTACT_FORMS, LOGIN_ID_FORMS, Scope

PROFILE = {
    "nickName": ("nickname",),
    "userName": ("first_name", "middle_name", "last_name", "full_name"),
    "avatar": ("avatar",),
    "gender": ("gender",),
    "birthDate": ("birth_date",),
    "nationality": ("nationality",),
}
ADDRESS = ("address1", "address2", "city", "zip_code", "state", "region", "label")


class PartOfProfile(ProfileForm):
    """The profile's form with these fields only; at least one of them must be filled in."""

    def __init__(self, *names: str, **sent: Any) -> None:
        super().__init__(**sent)
        self.fields = {name: self.fields[name] for name in names}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not any(cleaned.values()):
            self.add_error(next(iter(self.fields)), ValidationError(_("Fill this in, or go back without it.")))
        return cleaned


def _reach(form: ReachForm) -> ReachForm:
    form.fields["value"].error_messages["required"] = _("Fill this in, or go back without it.")
    return form


def _login_id(user: User, **sent: Any) -> "forms.ModelForm[Any]":
    return _reach(LoginIdForm(**sent, instance=LoginId(user=user)))


def _contact(user: User, **sent: Any) -> "forms.ModelForm[Any]":
    return _reach(ContactForm(**sent, instance=Contact(user=user)))


def _mobile(user: User, **sent: Any) -> "forms.ModelForm[Any]":
    form = _reach(ContactForm(**sent, instance=Contact(user=user)))
    form.initial["type"] = Contact.Type.MOBILE_PHONE
    form.fields["type"].widget, form.fields["type"].disabled = forms.HiddenInput(), True  # whatever is sent
    form.fields["value"].label = _("Mobile number")
    return form


def _address(user: User, **sent: Any) -> "forms.ModelForm[Any]":
    form = AddressForm(**sent, instance=Address(user=user))
    form.order_fields(ADDRESS)
    return form


_ROWS: dict[str, Callable[..., "forms.ModelForm[Any]"]] = {
    **dict.fromkeys(LOGIN_ID_FORMS, _login_id),
    **dict.fromkeys(CONTACT_FORMS, _contact),
    "contactInfos.MOBILE_PHONE": _mobile,
    "userAddresses": _address,
}


def can_add(scope: Scope) -> bool:
    """Whether this scope needs one thing that people can fill in themselves."""
    return len(scope.fields) == 1 and (scope.fields[0] in PROFILE or scope.fields[0] in _ROWS)


def form_for(scope: Scope, user: User, **sent: Any) -> "forms.ModelForm[Any]":
    """The form for what this scope shows; `sent` are data and files. Only for scopes that `can_add`."""
    (field,) = scope.fields
    return PartOfProfile(*PROFILE[field], **sent, instance=user) if field in PROFILE else _ROWS[field](user, **sent)


def save(form: "forms.ModelForm[Any]") -> bool:
    """Keep it; False, with a form error, when somebody took this sign-in name meanwhile."""
    try:
        with transaction.atomic():
            form.save()
    except IntegrityError:
        form.add_error(None, _("Somebody else began to sign in with this just now. Choose another."))
        return False
    return True
