"""The inbox: what the portal told a person about their permissions."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from portal import inbox
from portal.models import InboxNotice

PAGE_SIZE = 20


@never_cache
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Newest first. What this page shows counts as read from now on, and stands out one last time."""
    page = Paginator(inbox.of(request.user.pk or 0), PAGE_SIZE).get_page(request.GET.get("page"))
    notices = list(page)
    entries = inbox.entries(notices)
    if new := [notice.pk for notice in notices if notice.read_at is None]:
        InboxNotice.objects.filter(pk__in=new).update(read_at=timezone.now())
    return render(request, "portal/inbox.html", {"page": page, "entries": entries, "here": "inbox"})
