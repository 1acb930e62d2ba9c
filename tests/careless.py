"""The portal with a page that fails, its variables and words full of secrets: none of them may be told anywhere."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from portal import urls

TOKEN = "Zk9_pQ7xW2mB4nV6cL8jH1gF3dS5aT0y"
PHONE, EMAIL, PASSWORD = "9171234567", "alice@example.org", "hunter2"
WORDS = f"token {TOKEN}, +63{PHONE}, {EMAIL}, postgres://portal:{PASSWORD}@db/portal"
SPOKEN = (TOKEN, PHONE, EMAIL, PASSWORD)


def careless(request: HttpRequest) -> HttpResponse:
    """Reads what it was sent, and says too much."""
    password, header = request.POST["password"], request.headers["Authorization"]  # noqa: F841
    raise RuntimeError(WORDS)


urlpatterns = [*urls.urlpatterns, path("careless/", careless, name="careless")]
