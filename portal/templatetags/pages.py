"""What the pages need beyond Django's tags: icons of scopes, and facts that error pages know without a context."""

import re

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from lucide import IconDoesNotExist
from lucide.templatetags.lucide import lucide

from portal import local
from portal.middleware import current_trace_id
from portal.scopes import Scope

register = template.Library()


@register.simple_tag
def scope_icon(name: str) -> SafeString:
    """The Lucide icon of a scope; the default one when a host's catalogue names one that does not exist."""
    try:
        return mark_safe(lucide(name, aria_hidden="true"))  # noqa: S308 - the package's own SVG
    except IconDoesNotExist:
        return mark_safe(lucide(Scope.icon, aria_hidden="true"))  # noqa: S308


@register.simple_tag
def trace_id() -> str:
    """The id of this request, for error pages; empty outside one."""
    current = current_trace_id()
    return "" if current == "-" else current


@register.simple_tag
def brand_name() -> str:
    """The super-app's name, also where Django renders without context processors (400, 500)."""
    return str(settings.BRAND_NAME)


@register.filter
def initial(name: str) -> str:
    """The first letter or digit of a name, for a person or mini-program without a picture."""
    found = re.search(r"\w", name or "")
    return found[0].upper() if found else "?"


register.filter("day", local.day)
register.filter("moment", local.moment)
register.filter("ago", local.ago)
register.filter("listed", local.listed)
register.filter("apart", local.apart)


@register.inclusion_tag("portal/_languages.html", takes_context=True)
def languages(context: template.Context) -> dict[str, object]:
    """The switch of languages: one button for each, back to this page. Nothing where there is no request."""
    request = context.get("request")
    return {
        "here": request.get_full_path() if request else "",
        "known": settings.LANGUAGES,
        "current": get_language(),
        "csrf_token": context.get("csrf_token"),
    }
