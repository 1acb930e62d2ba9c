"""Sensitive acts ask once more who is there, when the last proof of it is old; then they go on (trust 34).

The page in between carries everything that was sent, so that nothing typed is lost, and posts it to the same address.
A view of the console uses `@recently_signed_in`, an act of a ConsoleAdmin has it from `ConsoleAdmin.act`.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from portal import recent_sign_in
from portal.admin import passkeys
from portal.admin.proofs import ConfirmForm
from portal.sign_in import refused

METHOD = f"{ConfirmForm.prefix}-method"  # of the request that was interrupted


def ask(request: HttpRequest) -> HttpResponse | None:
    """The page that asks for password or second factor; None when the act may go on."""
    if recent_sign_in.is_recent(request):
        return None
    form = ConfirmForm(request, request.POST if METHOD in request.POST else None)
    if not form.is_valid():
        return refused(_page(request, form), form) if form.is_bound else _page(request, form)
    recent_sign_in.remember(request)
    return HttpResponseRedirect(request.get_full_path()) if request.POST[METHOD] == "GET" else None


def recently_signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """Asks before this view of the console, or method of an admin class, is even entered."""

    @wraps(view)
    def asked(*args: Any, **kwargs: Any) -> Any:
        request = next(argument for argument in args if isinstance(argument, HttpRequest))
        return ask(request) or view(*args, **kwargs)

    return asked


def before_saving(view: Callable[..., Any]) -> Callable[..., Any]:
    """`changeform_view` of an admin class that asks those who may save before it saves."""

    @wraps(view)
    def asked(
        self: Any, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        may = self.has_change_permission(request) if object_id else self.has_add_permission(request)
        page = ask(request) if request.method == "POST" and may else None
        return page or view(self, request, object_id, form_url, extra_context)

    return asked


def _page(request: HttpRequest, form: ConfirmForm) -> TemplateResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Is it still you?",
        "form": form,
        "hidden": list(_sent(request)),
        "files": ", ".join(str(file.name) for files in request.FILES.lists() for file in files[1]),
        "options": passkeys.to_show(request),
    }
    return TemplateResponse(request, "admin/confirm.html", context)


def _sent(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Every field of the form that was interrupted, and by which method it came."""
    for name, values in request.POST.lists():
        if name != "csrfmiddlewaretoken" and not name.startswith(f"{ConfirmForm.prefix}-"):
            yield from ((name, str(value)) for value in values)
    yield METHOD, request.POST.get(METHOD, str(request.method))
