"""The profile page: what the portal knows about me, and where I change it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View


@method_decorator(login_required, name="dispatch")
class ProfilePage(View):
    """Shows and saves the profile."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "portal/profile.html", {})
