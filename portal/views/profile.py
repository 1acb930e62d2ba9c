"""The profile page: what the portal knows about me, and where I change it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from portal import forms, pictures, rows
from portal.models import User


@method_decorator([never_cache, login_required], name="dispatch")
class ProfilePage(View):
    """Shows and saves the profile: one page, one form, one press of Save."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "portal/profile.html", parts(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Everything is saved or nothing; with 422 the page keeps what was typed."""
        page = parts(request, data=request.POST, files=request.FILES)
        valid = [part.is_valid() for part in page.values()]  # every one, so that each shows its errors
        if all(valid) and save(**page):
            messages.success(request, _("Your profile is saved."))
            return redirect("profile")
        page["picture_lost"] = "avatar" in request.FILES
        return render(request, "portal/profile.html", page, status=422)


def parts(request: HttpRequest, **sent: Any) -> dict[str, Any]:
    """The forms of the page, on a copy of the user: a refused form must not change what the header shows."""
    user = get_object_or_404(User, pk=request.user.pk)
    return {
        "form": forms.ProfileForm(**sent, instance=user),
        "login_ids": rows.LoginIdRows(**sent, instance=user),
        "contacts": rows.ContactRows(**sent, instance=user),
        "addresses": rows.AddressRows(**sent, instance=user),
    }


def save(form: forms.ProfileForm, login_ids: rows.Rows, **others: rows.Rows) -> bool:
    """Write it all in one transaction; False, with a form error, when somebody took a sign-in name meanwhile."""
    try:
        with transaction.atomic():
            # Not while it is erased, nor after that: the form would bring everything back.
            get_object_or_404(User.objects.select_for_update(no_key=True), pk=form.instance.pk, is_active=True)
            login_ids.save()
            for part in others.values():
                part.save()
            form.save()  # last: it writes the picture's file, which no rollback takes away
            old = form.replaced_picture()
            if old:
                transaction.on_commit(lambda: pictures.drop(old))
    except IntegrityError:
        form.add_error(None, _("Somebody else began to sign in with one of these just now. Choose another."))
        return False
    return True
