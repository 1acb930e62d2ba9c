"""A page as a person without JavaScript meets it: what they read, and what their browser would send."""

import re
from html.parser import HTMLParser
from typing import Any


def words(response: Any) -> str:
    """What a person reads, on one line."""
    html = re.sub(r"<(script|title).*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def fields(response: Any) -> dict[str, str]:
    """The page's fields with the values a browser would send if nobody touched them."""
    parser = _Fields()
    parser.feed(response.content.decode())
    return parser.found


def press(client: Any, path: str, *, follow: bool = False, **form: Any) -> Any:
    """Open the form at this path, fill in these fields, and send it with what stands in the others."""
    return client.post(path, {**fields(client.get(path)), **form}, follow=follow)


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and given["type"] not in ("file", "checkbox"):
            self.found[given["name"]] = given.get("value", "")
        elif tag == "select":
            self.select = given["name"]
        elif tag == "option" and ("selected" in given or self.select not in self.found):
            self.found[self.select] = given["value"]
