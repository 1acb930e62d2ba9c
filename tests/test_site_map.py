"""The site map of the tests against the portal's addresses: no page is left out of what all pages are tested for."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.site_map import NO_PAGE, PAGES, SitePage
from tests.visitor import Visitor

ERRORS = {"400", "403", "403_csrf", "404", "500"}


def addresses(resolver: URLResolver, start: str = "") -> Iterator[str]:
    """The name of each address; of a nameless one its pattern; of the operators' console its namespace."""
    for found in resolver.url_patterns:
        if isinstance(found, URLPattern):
            yield found.name or start + str(found.pattern)
        elif found.namespace:
            yield found.namespace
        else:
            yield from addresses(found, start + str(found.pattern))


def is_no_page(address: str) -> bool:
    return address in NO_PAGE or ("^" in address and any(part in address for part in NO_PAGE))


def test_every_address_is_a_page_of_the_site_map_or_named_as_none() -> None:
    pages = {page.url for page in PAGES}
    assert [found for found in addresses(get_resolver()) if found not in pages and not is_no_page(found)] == []


def test_the_site_map_names_nothing_that_is_not_there() -> None:
    known = set(addresses(get_resolver()))
    assert {page.url for page in PAGES} - ERRORS <= known
    assert [name for name in NO_PAGE if not any(name in address for address in known)] == []
    assert len({str(page) for page in PAGES}) == len(PAGES)


def test_every_error_page_is_in_it() -> None:
    assert {page.url for page in PAGES} >= ERRORS


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_page_is_what_the_site_map_says(page: SitePage, visitor: Visitor) -> None:
    answer = page.open(visitor)
    right = {int(page.url[:3])} if page.url in ERRORS else {200, 422} if page.form else {200}
    assert answer.status_code in right
    assert answer["Content-Type"].startswith("text/html")
