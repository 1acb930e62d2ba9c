"""The sign-in page."""

from django.contrib.auth.views import LoginView
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from portal.sign_in import SignInForm, answered

_page = LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True)


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Django's own view, with our form, its limits and their status."""
    return answered(_page(request))
