"""The short way of an API call: past everything that only pages need. And the clock that times all of them."""

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest, HttpResponse

from authapi import endpoint_times, urls
from portal import endpoints


class ApiMiddleware:
    """Signed calls, and the container's with a bearer token, go straight to their view.

    They carry no cookie, so sessions, CSRF, messages, languages and CSP could do nothing for them but cost time:
    half of what a call takes. A path that is not in the table goes the ordinary way, with the same view at its end.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.signed, self.bearer = urls.signed_routes(), urls.bearer_routes()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = perf_counter()
        answer = self._answer(request)
        if answer is None:
            answer = self.get_response(request)
        else:
            answer["Content-Length"] = str(len(answer.content))
        if (name := endpoints.name(request)) != endpoints.UNKNOWN:
            endpoint_times.counter.note(name, began)
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        path = request.path_info
        if route := self.signed.get(path):
            view, version = route
            request.get_host()  # DisallowedHost, as everywhere
            return view(request, version=version)
        if path in self.bearer and request.META.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer ":
            request.get_host()
            return self.bearer[path](request)
        return None
