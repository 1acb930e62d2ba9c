"""The short way of an API call: past everything that only pages need."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from authapi import urls


class ApiMiddleware:
    """Signed calls, and the container's with a bearer token, go straight to their view.

    They carry no cookie, so sessions, CSRF, messages, languages and CSP could do nothing for them but cost time:
    half of what a call takes. A path that is not in the table goes the ordinary way, with the same view at its end.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.signed, self.bearer = urls.signed_routes(), urls.bearer_routes()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if route := self.signed.get(request.path_info):
            view, version = route
            return view(request, version=version)
        if request.META.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer " and request.path_info in self.bearer:
            return self.bearer[request.path_info](request)
        return self.get_response(request)
