"""Nothing that users read is left in English: every marked string is translated, and every string is marked."""

import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings
from django.template.base import Lexer, TokenType
from django.utils.translation import to_locale

from tests.machine import need
from tests.servers import ROOT

pytestmark = pytest.mark.process
CODES = [code for code, _name in settings.LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{\{?\s*\w+\s*\}?\}")
# Read as it is in every language.
SAME = {"QR", "JWS", "SHA-256", "ISO/IEC TS 27560:2023", "Kantara", "RS256", "JSON", "•", "·", "›", "/", "&nbsp;"}
CLASSES = ("tone", "body_class")  # blocks that hold names of CSS classes
TEMPLATES = [path for path in sorted((ROOT / "templates").rglob("*.html")) if "admin" not in path.parts]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is committed, with its catalogues brought up to date."""
    need("xgettext", package="gettext")
    copy = tmp_path_factory.mktemp("words")
    for part in ("portal", "authapi", "templates", "locale"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for file in ("manage.py", "Makefile"):
        shutil.copy(ROOT / file, copy)
    command = ["make", "words", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "VAR_DIR": str(copy / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return copy


def catalogue(folder: Path, code: str) -> Catalog:
    with (folder / "locale" / to_locale(code) / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file)


def texts(message: Message) -> list[str]:
    """What it is translated into, each plural form of it."""
    return list(message.string) if isinstance(message.string, tuple | list) else [str(message.string)]


def problem(message: Message, forms: int) -> str:
    found = texts(message)
    if message.fuzzy or not all(found) or (message.pluralizable and len(found) != forms):
        return "is not translated"
    sources = message.id if isinstance(message.id, tuple | list) else [message.id]
    wanted = {frozenset(PLACEHOLDER.findall(source)) for source in sources}
    everything = frozenset().union(*wanted)
    for text in found:
        has = frozenset(PLACEHOLDER.findall(text))
        if (not message.pluralizable and has not in wanted) or has - everything:
            return f"has other placeholders in {text!r}"
    return ""


@pytest.mark.parametrize("code", CODES)
def test_every_string_is_translated(collected: Path, code: str) -> None:
    fresh = catalogue(collected, code)
    messages = [message for message in fresh if message.id]
    assert len(messages) > 300
    wrong = {str(message.id): problem(message, fresh.num_plurals) for message in messages}
    assert {source: what for source, what in wrong.items() if what} == {}


@pytest.mark.parametrize("code", CODES)
def test_the_catalogue_holds_nothing_that_nobody_says_any_more(collected: Path, code: str) -> None:
    fresh, kept = ({message.id for message in catalogue(folder, code)} for folder in (collected, ROOT))
    assert kept == fresh, "run: make words"


def plain_words(path: Path) -> list[str]:
    """What stands in a template between tags, or in an attribute that people meet, without being translated."""
    found, inside, code = [], 0, False
    for token in Lexer(path.read_text()).tokenize():
        name = token.contents.split()[0] if token.contents.split() else ""
        if token.token_type == TokenType.BLOCK:
            inside += {"blocktranslate": 1, "endblocktranslate": -1}.get(name, 0)
            code = (code and name != "endblock") or (name == "block" and token.contents.split()[1] in CLASSES)
        elif token.token_type == TokenType.TEXT and not inside and not code:
            found.append(token.contents)
        elif token.token_type == TokenType.VAR or name in ("translate", "url", "static"):
            found.append("\0")
    html = re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->", "", "".join(found), flags=re.S)
    named = re.findall(r'\b(?:aria-label|alt|placeholder|title)="([^"]*)"', html)
    return [word for text in [*re.sub(r"<[^>]*>", "\n", html).split("\n"), *named] if (word := said(text))]


def said(text: str) -> str:
    """This text without what is the same in every language."""
    bare = re.sub(r"&\w+;|\0", " ", text).strip().strip(string.punctuation + "·•›–—… \u2026")
    return "" if bare in SAME or not re.search(r"[A-Za-z]{2}", bare) else bare


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_no_template_says_anything_unmarked(path: Path) -> None:
    if path.name == "api_docs.html":  # for developers, who read English
        return
    assert plain_words(path) == []


def test_unmarked_words_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<p class="x">Hello {{ name }}</p><a aria-label="Close it">{% translate "Shut" %} ·</a>')
    assert plain_words(page) == ["Hello", "Close it"]


def test_untranslated_and_spoilt_strings_are_found() -> None:
    catalog = Catalog(locale="id")
    cases: list[tuple[Any, Any]] = [
        ("One", ""),
        ("%(n)d two", "dua"),
        ("{{ n }} three", "{{ m }} tiga"),
        ("Four", "Empat"),
    ]
    found = [bool(problem(catalog.add(source, text), 1)) for source, text in cases]
    assert found == [True, True, True, False]
