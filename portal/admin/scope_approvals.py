"""What a mini-program may ask for and why, on its page of the operator's console."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import scopes
from portal.admin import terms
from portal.admin.inlines import SaysItsColumns
from portal.models import ScopeApproval, User
from portal.models.scope_approvals import Proposal

LONGEST = 200  # ScopeApproval.purpose
Texts = dict[str, str]  # {language: text}


def languages() -> list[tuple[str, str]]:
    """(code, name) of every language but the one that purposes are first written in."""
    return [(code, name) for code, name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


class PurposesWidget(forms.MultiWidget):
    """One small text area a language, folded away."""

    template_name = "admin/purposes.html"

    unfolded = False

    def __init__(self) -> None:
        attrs = {"rows": 2, "cols": 40, "maxlength": LONGEST}
        super().__init__({code: forms.Textarea(attrs) for code, _name in languages()})

    def decompress(self, value: Texts | None) -> list[str]:
        return [(value or {}).get(code, "") for code, _name in languages()]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Adds which language each is, and how many are there."""
        context = super().get_context(name, value, attrs)
        context["widget"]["unfolded"] = self.unfolded
        texts = value if isinstance(value, list) else self.decompress(value)
        context["widget"]["filled"] = sum(bool(text) for text in texts)
        for part, (code, language) in zip(context["widget"]["subwidgets"], languages(), strict=True):
            part["language"] = language
            part["attrs"] |= {"lang": code, "dir": "auto"}
        return context


class PurposesField(forms.MultiValueField):
    """{language: purpose}, without those that are left empty."""

    widget = PurposesWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = [forms.CharField(max_length=LONGEST, required=False) for _language in languages()]
        super().__init__(fields, require_all_fields=False, required=False, **kwargs)

    def compress(self, data_list: list[str]) -> Texts:
        found = zip(languages(), data_list, strict=False)
        return {code: text for (code, _name), text in found if text}


class ScopeApprovalForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A scope is chosen once; then its purpose, its weight and its longest time are proposed to a reviewer.

    Shows what is proposed, where something is, and not the words that stand meanwhile.
    """

    scope = forms.ChoiceField(
        label=gettext_lazy("scope"), widget=forms.Select(attrs={"aria-label": gettext_lazy("Scope")})
    )
    purposes = PurposesField(label=gettext_lazy("purpose in other languages"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if (row := kwargs.get("instance")) and row.pk:
            for name, value in row.proposed().items():
                setattr(row, name, value)
        super().__init__(*args, **kwargs)
        if "scope" in self.fields:
            names = dict.fromkeys([*scopes.catalogue(), *filter(None, [self.instance.scope])])
            self.fields["scope"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
            self.fields["scope"].disabled = bool(self.instance.pk)

    def keep(self, *, by: User) -> str:
        """Save a scope that is new, propose another text for one that is there; in words for the record, "" for none.

        Neither is asked of anybody before another operator has read it.
        """
        row: ScopeApproval = self.instance
        if not row.pk:
            row.entered_by = by
            row.save()
            return f"{_('Asked for')}: {row.scope} ({said(row.proposed())})"
        typed, found = row.stands(), ScopeApproval.objects.get(pk=row.pk)
        before = found.proposed()
        changed = row.propose(typed, by=by)  # reads the row again: what stands is not what was typed
        return f"{_('Proposed')}: {row.scope} ({change(before, typed)})" if changed else ""


class ScopeApprovalInline(SaysItsColumns, admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """What it may ask for, and why; the state is for those who may approve."""

    model = ScopeApproval
    form = ScopeApprovalForm
    extra = 0
    can_delete = False
    verbose_name_plural = gettext_lazy("scopes it may ask for")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("mini_program", "decided_by")
        return rows.prefetch_related("earlier_purposes__replaced_by")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Who only looks reads the languages as a list."""
        texts = "purposes" if self.has_change_permission(request, obj) else "in_languages"
        return ("scope", "purpose", texts, "required", "max_days", "reviewed", "decided_by", "decided_at", "earlier")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The state is no field: it changes by a review alone."""
        return ("in_languages", "reviewed", "decided_by", "decided_at", "earlier")

    @admin.display(description=gettext_lazy("state"))
    def reviewed(self, row: ScopeApproval) -> str:
        """Its state, that of the draft beside it, and what the last reviewer said."""
        draft = ScopeApproval.State(row.draft_state).label if row.draft_state else ""
        parts = [row.get_state_display() if row.pk else "", draft and f"{_('a change')}: {draft}", row.note]
        return " · ".join(filter(None, map(str, parts)))

    @admin.display(description=gettext_lazy("purpose in other languages"))
    def in_languages(self, row: ScopeApproval) -> SafeString:
        return _listed([(f"{name}:", row.purposes[code]) for code, name in languages() if row.purposes.get(code)])

    @admin.display(description=gettext_lazy("earlier purposes"))
    def earlier(self, row: ScopeApproval) -> SafeString:
        """What people agreed to before it was changed, and who changed it."""
        lines = [
            (
                _("Until %(when)s, changed by %(who)s:")
                % {"when": terms.when(old.replaced_at), "who": old.replaced_by or _("a command")},
                " · ".join(filter(None, [old.purpose, *old.purposes.values()])),
            )
            for old in (row.earlier_purposes.all() if row.pk else ())
        ]
        words = format_html("<details><summary>{}</summary>{}</details>", len(lines), _listed(lines))
        return words if lines else SafeString()


def _listed(lines: list[tuple[str, str]]) -> SafeString:
    items = format_html_join("", "<li>{} {}</li>", lines)
    return SafeString(f"<ul>{items}</ul>" if lines else "")


def may_approve(request: HttpRequest) -> bool:
    """Whether this operator says which scopes a mini-program may ask for."""
    return bool(request.user.has_perm("portal.approve_scopes"))


def said(proposal: Proposal) -> str:
    """The words and terms of a scope, in one line."""
    texts = [f"“{proposal['purpose']}”", *(f"{code}: “{text}”" for code, text in proposal["purposes"].items())]
    return ", ".join([*texts, weight(proposal), longest(proposal)])


def weight(proposal: Proposal) -> str:
    """Whether the mini-program goes without it."""
    return _("required") if proposal["required"] else _("optional")


def longest(proposal: Proposal) -> str:
    """For how long people can allow it."""
    days = proposal["max_days"]
    return _("at most %d days") % days if days else _("no longest time")


def change(before: Proposal, after: Proposal) -> str:
    """Both, for the record; one where nothing changed."""
    return said(after) if before == after else f"{_('before')}: {said(before)}; {_('after')}: {said(after)}"
