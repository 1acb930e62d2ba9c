"""The sign-in page."""

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from portal import recent_sign_in
from portal.sign_in import SignInForm, answered


class SignInPage(LoginView):
    """Django's own view, with our form; whoever gets in has just proved who they are."""

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        recent_sign_in.remember(self.request)
        return response


_page = SignInPage.as_view()


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The page, with the status of its form's limits."""
    return answered(_page(request))
