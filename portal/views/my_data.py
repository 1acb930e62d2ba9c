"""My data: all of it in one file, and the end of the account. Both ask for the password once more."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from portal import erasure, my_data
from portal.models import MiniProgramGrant, User
from portal.sign_in import PasswordAgainForm, refused


@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """What the file holds, and the form that gives it."""
    return render(request, "portal/my_data.html", {"form": PasswordAgainForm(request)})


@method_decorator([never_cache, login_required, sensitive_post_parameters("password")], name="dispatch")
class Download(View):
    """The file itself, for the password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """A reload of a refused form, or a link somebody kept."""
        return redirect("my_data")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PasswordAgainForm(request, request.POST)
        if not form.is_valid():
            return refused(render(request, "portal/my_data.html", {"form": form}), form)
        data = my_data.export(cast("User", request.user))
        response = JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 2})
        response["Content-Disposition"] = f'attachment; filename="my-data-{timezone.now():%Y-%m-%d}.json"'
        return response


@method_decorator([never_cache, login_required, sensitive_post_parameters("password")], name="dispatch")
class DeleteAccount(View):
    """What deleting means, and the form that plans it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request, PasswordAgainForm(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        """An operator's account is none to delete from here: the console's record would lose its author."""
        user = cast("User", request.user)
        form = PasswordAgainForm(request, request.POST)
        if user.is_staff:
            response = self.shown(request, PasswordAgainForm(request))
            response.status_code = 403
            return response
        if not form.is_valid():
            return refused(self.shown(request, form), form)
        erasure.ask(user)
        return redirect("delete_account")

    def shown(self, request: HttpRequest, form: PasswordAgainForm) -> HttpResponse:
        context = {
            "form": form,
            "days": settings.ACCOUNT_DELETION_DAYS,
            "day": erasure.day_for(timezone.now()),
            "grants": MiniProgramGrant.objects.live().filter(user=request.user.pk).count(),
        }
        return render(request, "portal/delete_account.html", context)


@login_required
@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """Call the deletion off."""
    if erasure.keep(cast("User", request.user)):
        messages.success(request, _("Your account stays. Nothing will be deleted."))
    return redirect("my_data")
