"""The rows of a profile - login ids, contacts, addresses - as forms that work without JavaScript."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms.models import BaseInlineFormSet, inlineformset_factory
from django.utils.translation import gettext_lazy as _

from portal import local, phones
from portal.models.users import Address, Contact, LoginId, User, normalised

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_ROWS = 10
PHONES = ("MOBILE_PHONE", "TELEPHONE")


class ReachForm(forms.ModelForm):  # type: ignore[type-arg] # no generic at run time
    """One login id or contact: shown as people read it, kept normalised."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = self.instance.Type.choices
        self.fields["type"].choices = kinds  # type: ignore[attr-defined] # without the blank one
        if not self.instance.pk:
            self.initial["type"] = kinds[0][0]
        elif self.instance.type in PHONES:
            self.initial["value"] = phones.international(self.instance.value)
        self.fields["value"].error_messages["required"] = _("Fill this in, or tick “Remove”.")

    def has_changed(self) -> bool:
        """An empty row stays empty whatever kind is chosen."""
        return super().has_changed() and bool(self.instance.pk or "value" in self.changed_data)

    def clean(self) -> dict[str, Any]:
        """Normalise `value` here already, so that rows of one submission are compared as they will be kept."""
        kind, value = self.cleaned_data.get("type"), self.cleaned_data.get("value")
        if kind and value:
            try:
                self.cleaned_data["value"] = normalised(kind, value)
            except ValidationError as error:
                self.add_error("value", _remedied(kind, error))
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The model would only say again what `clean` has said of the value."""
        if "value" not in self.errors:
            super()._post_clean()  # type: ignore[misc] # the stubs leave Django's hook out


def _remedied(kind: str, error: ValidationError) -> ValidationError:
    """The model's words, or for an e-mail words that say what to do."""
    if kind == "EMAIL":
        return ValidationError(_("This is not an e-mail address. Write it like name@example.com."))
    return error


class LoginIdForm(ReachForm):
    """A name a person signs in with; nobody else may have it."""

    class Meta:
        model = LoginId
        fields = ("type", "value")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind, value = cleaned.get("type"), cleaned.get("value")
        reason = self._unusable(kind, value) if kind and value and self.has_changed() and not self.errors else ""
        if reason:
            raise ValidationError({"value": reason})
        return cleaned

    def _unusable(self, kind: str, value: str) -> "StrOrPromise":
        """Why this cannot be a sign-in name of this user; it must never sign in two people, whatever its kind."""
        if kind == LoginId.Type.OTHER and _looks_reachable(value):
            return _("This looks like a phone number or e-mail: choose that kind.")
        rows = LoginId.objects.filter(value=value).exclude(pk=self.instance.pk)
        if rows.exclude(user=self.instance.user).exists() or self._is_others_login(value):
            return _("Somebody else signs in with this already. Choose another.")
        return _("You have this already.") if rows.filter(type=kind).exists() else ""

    def _is_others_login(self, value: str) -> bool:
        return User.objects.filter(username=value).exclude(pk=self.instance.user_id).exists()


def _looks_reachable(value: str) -> bool:
    if "@" in value:
        return True
    try:
        return bool(phones.parse(value)) and not any(letter.isalpha() for letter in value)
    except ValidationError:
        return False


class ContactForm(ReachForm):
    """A way to reach a person."""

    class Meta:
        model = Contact
        fields = ("type", "value")


class AddressForm(forms.ModelForm):  # type: ignore[type-arg] # no generic at run time
    """A place a person gets things sent to."""

    class Meta:
        model = Address
        fields = ("label", "region", "state", "city", "address1", "address2", "zip_code")
        help_texts = {"label": _("Such as Home or Work.")}
        error_messages = {
            "region": {"required": _("Choose a country or region.")},
            "address1": {"required": _("Type the street and number.")},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["region"].choices = [("", _("Choose")), *local.countries()]  # type: ignore[attr-defined]


class Rows(BaseInlineFormSet):  # type: ignore[type-arg]
    """The rows of one kind that belong to one user; a row of anybody else is none of its choices."""

    default_error_messages = {
        "too_many_forms": _("You can keep at most %(num)d of these. Remove some."),
        "missing_management_form": _("This part of the page did not arrive. Load the page again."),
    }

    def add_fields(self, form: "forms.ModelForm[Any]", index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["id"].error_messages["invalid_choice"] = _(
            "This row is no longer there. Load the page again, then make your changes."
        )

    def get_form_error(self) -> str:
        return str(_("You have this twice. Remove one of them."))

    def get_unique_error_message(self, unique_check: Any) -> str:
        return str(_("The same entry stands here twice."))


def _rows(model: type[Model], form: "type[forms.ModelForm[Any]]") -> type[Rows]:
    return inlineformset_factory(  # type: ignore[return-value] # a subclass of `formset`
        User,
        model,
        form=form,
        formset=Rows,
        extra=1,
        max_num=MAX_ROWS,
        absolute_max=MAX_ROWS + 5,
        validate_max=True,
        can_delete_extra=False,
    )


LoginIdRows = _rows(LoginId, LoginIdForm)
ContactRows = _rows(Contact, ContactForm)
AddressRows = _rows(Address, AddressForm)
