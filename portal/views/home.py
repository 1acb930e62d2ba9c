"""Home, and the container around a mini-program."""

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View

from portal.models import MiniProgram, MiniProgramGrant
from portal.models.mini_programs import origin_of


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The mini-programs one can open, and the way to Permissions and Profile."""
    programs = MiniProgram.objects.filter(status=MiniProgram.Status.ACTIVE, merchant__status="ACTIVE")
    context = {
        "mini_programs": programs.exclude(page_url="").order_by("name")[:60],
        "grants": MiniProgramGrant.objects.live().filter(user=request.user.pk).count(),
    }
    return render(request, "portal/home.html", context)


@method_decorator(login_required, name="dispatch")
class Container(View):
    """The shell around a mini-program's page: embeds it from its own origin and answers its calls (trust 18)."""

    def get(self, request: HttpRequest, app_id: str) -> HttpResponseBase:
        programs = MiniProgram.objects.exclude(page_url="").filter(status=MiniProgram.Status.ACTIVE)
        program = get_object_or_404(programs, client_id=app_id)
        if program.origin == origin_of(request.build_absolute_uri()):
            raise Http404("a page of our own origin would not be held by the sandbox")
        live = MiniProgramGrant.objects.live().filter(user=request.user.pk, mini_program=program)
        context = {
            "mini_program": program,
            # It will hear that the user refused, and cannot tell them why: so we do.
            "paused": live.exclude(paused_at=None).first(),
            "api": {
                "get_auth_code_url": reverse("get_auth_code"),
                "decision_url_template": reverse("decision_api", args=["CONSENT_ID"]),
                "report_url": reverse("report_error"),
            },
            "login_url": f"{reverse('login')}?next={request.path}",
        }
        response = render(request, "portal/container.html", context)
        return csp_replace({"frame-src": [SELF, program.origin]})(lambda _request: response)(request)
