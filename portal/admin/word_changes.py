"""What changed between two texts, word by word, for whoever reviews them."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# A Han character, a Thai consonant or vowel with its marks, a word, blanks, any other character: Chinese and Thai put
# no blanks between words, and a sentence is too much to call changed.
_WORDS = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]|[\u0e00-\u0e7f][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*"
    r"|[^\W\u0e00-\u0e7f\u3400-\u9fff\uf900-\ufaff]+|\s+|.",
    re.DOTALL,
)
Part = tuple[str, str, str]  # what happened ("equal", "delete", "insert", "replace"), the old text, the new text


def parts(old: str, new: str) -> Iterator[Part]:
    """The pieces that make up both texts, in their order."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield what, "".join(before[a:b]), "".join(after[c:d])


def marked(old: str, new: str) -> SafeString:
    """The new text with what went in <del> and what came in <ins>, escaped."""
    return format_html_join("", "{}", ((_mark(*part),) for part in parts(old, new)))


def _mark(what: str, old: str, new: str) -> SafeString:
    if what == "equal":
        return format_html("{}", new)
    gone = format_html("<del>{}</del>", old) if old else SafeString()
    return gone + (format_html("<ins>{}</ins>", new) if new else SafeString())


def replaced(old: str, new: str) -> SafeString:
    """The new text after the old one in <del>, whole: for what is a choice and no sentence."""
    return format_html("{}", new) if old == new else _mark("replace", old, new)
