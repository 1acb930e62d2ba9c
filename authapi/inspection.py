"""Walks a chain of seals and the rows under them, and names what was changed, removed or inserted (trust 31)."""

from collections.abc import Callable, Iterator, Mapping

from django.db import DataError

from authapi import platform, sealing
from portal import fingerprints, settled
from portal.models import ConsentText, Seal
from portal.models.seals import SUSPECT


class Inspection:
    """One walk over one chain, in constant memory: take `problems` to its end, then read the counts.

    `kept` are heads that were kept elsewhere, {number: hash}. After each seal `pause` is asked; when it says so the
    walk ends early, and another one can go on from its `head`, with what it left of `kept`.
    """

    def __init__(
        self, chain: str, kept: Mapping[int, str] | None = None, pause: Callable[[], bool] = lambda: False
    ) -> None:
        self.chain, self.pause = chain, pause
        self.is_paused = False
        self.kept = dict(kept or {})
        self.head: Seal | None = None
        self.rows = self.seals = self.unsealed = 0

    def __str__(self) -> str:
        counts = f"rows checked: {self.rows}, seals checked: {self.seals}, not sealed yet: {self.unsealed}"
        return f"{counts}, head: {self.head or 'none'}"

    def problems(self) -> Iterator[str]:
        """What is wrong, one sentence each, in the chain's order."""
        try:
            yield from self._sealed()
            if self.is_paused:
                return
            yield from self._unsealed()
        except (ValueError, TypeError, DataError) as error:
            place = f"after seal {self.head.number}" if self.head else "at its beginning"
            yield f"{self.chain}: {place} something was changed into what cannot be read: {type(error).__name__}"
        for number in sorted(self.kept):
            yield f"Seal {self.chain}:{number} was removed: the head that was kept is not there"

    def _sealed(self) -> Iterator[str]:
        while seal := self._next():
            yield from self._link(seal)
            yield from self._rows(seal)
            self.head, self.seals = seal, self.seals + 1
            if self.pause():
                self.is_paused = True
                return

    def _next(self) -> Seal | None:
        number = self.head.number if self.head else 0
        return Seal.objects.filter(chain=self.chain, number__gt=number).order_by("number").first()

    def _link(self, seal: Seal) -> Iterator[str]:
        name, expected = f"Seal {self.chain}:{seal.number}", self.head.number + 1 if self.head else 1
        if seal.number > expected:
            yield f"Seal {self.chain}:{expected} was removed"
        if seal.hash != seal.computed_hash():
            yield f"{name} was changed"
        elif not platform.signed(seal.signed_message(), bytes(seal.signature), seal.key_version):
            yield f"{name} is forged: no key of ours signed it"
        elif seal.number == expected and seal.previous != (self.head.hash if self.head else ""):
            yield f"{name} does not follow the seal before it: that one was replaced"
        if self.kept.pop(seal.number, seal.hash) != seal.hash:
            yield f"{name} was replaced: it is not the head that was kept"

    def _rows(self, seal: Seal) -> Iterator[str]:
        sealed = seal.digests()
        after = self.head.last_pk if self.head else settled.BEFORE_ALL
        if sealed and seal.number != (self.head.number + 1 if self.head else 1):
            after = min(sealed) - 1  # what a removed seal covered is not called inserted
        there = {row["id"]: fingerprints.digest(row) for row in sealing.rows(self.chain, after, seal.last_pk)}
        self.rows += len(there)
        for pk in sorted(sealed.keys() | there.keys()):
            if verdict := judged(sealed.get(pk), there.get(pk)):
                yield f"{self.chain} #{pk} {verdict}"

    def _unsealed(self) -> Iterator[str]:
        after = self.head.last_pk if self.head else settled.BEFORE_ALL
        while batch := sealing.page(self.chain, after):
            for pk in sorted(sealing.suspicious(sealing.CHAINS[self.chain], batch)):
                yield f"{self.chain} #{pk} was changed or inserted; it is not sealed yet"
            after = batch[-1]["id"]
            self.unsealed += len(batch)
            self.rows += len(batch)


def judged(sealed: bytes | None, there: bytes | None) -> str:
    """What the digest that was sealed and the one of the row that is there say together; "" when all is well."""
    if there is None:
        return "was removed"
    if sealed is None:
        return "was inserted"
    if sealed == SUSPECT:
        return "was changed or inserted before it was sealed"
    return "" if sealed == there else "was changed"


def texts() -> Iterator[str]:
    """The words that decisions point to: each must still hash to its key. What is wrong, one sentence each."""
    try:
        for row in ConsentText.objects.order_by("pk").iterator(chunk_size=100):
            if ConsentText.hash_of(row.text) != row.hash:
                yield f"portal.ConsentText {row.hash} was changed"
    except (ValueError, DataError):
        yield "portal.ConsentText: something was changed into what cannot be read"
