"""What is granted, and on what terms: the part of a grant that says what it opens now."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import scopes as catalogue
from portal.terms import Term, open_scopes

LAST_USED_PRECISION = timedelta(minutes=5)
TERMS = ("terms", "expires_at", "next_end_at")  # the columns that set_terms changes


class GrantedScopes(models.Model):
    """The scopes of a grant with their terms; all of it opens nothing while it is paused, or once it has ended."""

    # {scope: since, ISO-8601}; PostgreSQL keeps no order of keys.
    scopes = models.JSONField(default=dict)
    # Of those that are not granted plainly: see portal.terms.
    terms = models.JSONField(default=dict)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    # When the next of its scopes, or all of it, runs out: what `tend_grants` looks for.
    next_end_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    # While it is set tokens answer as withdrawn, and nothing is deleted.
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        abstract = True

    def cut(self) -> set[str]:
        """The scopes that were taken away and stand here all the same; MiniProgramGrant knows of some."""
        return set()

    @property
    def is_live(self) -> bool:
        """Neither ended nor past its time."""
        if self.ended_at or (self.expires_at and self.expires_at <= timezone.now()):
            return False
        cut = self.cut()
        return not cut or cut < self.scopes.keys()

    @property
    def names(self) -> list[str]:
        """The granted scopes in the catalogue's order."""
        order = {name: place for place, name in enumerate(catalogue.catalogue())}
        return sorted(self.scopes, key=lambda name: (order.get(name, len(order)), name))

    def open_scopes(self) -> set[str]:
        """The granted scopes whose time has not run out."""
        found = open_scopes(self.scopes, self.terms, timezone.now()) if self.terms else set(self.scopes)
        return found - self.cut()

    def covers(self, names: Iterable[str]) -> bool:
        """Whether every one of these scopes is granted now."""
        return self.is_live and self.paused_at is None and set(names) <= self.open_scopes()

    def settles(self, name: str, purpose: int) -> bool:
        """Whether this scope need not be asked, its purpose being in this version."""
        held = name in self.scopes and name not in self.cut()
        return held and Term.read(self.terms, name).settles(purpose, timezone.now())

    def lapsed(self) -> set[str]:
        """The scopes whose time ran out and that nobody has taken away so far; all of them when it is over."""
        return self.scopes.keys() - self.open_scopes() if self.is_live else set(self.scopes)

    def term_of(self, name: str) -> Term:
        """On what terms this scope was given."""
        return Term.read(self.terms, name)

    def since_of(self, name: str) -> datetime:
        """When this scope was given."""
        return datetime.fromisoformat(self.scopes[name])

    def touch(self) -> None:
        """Remember that it was used, to five minutes: most calls write nothing."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at < now - LAST_USED_PRECISION:
            type(self)._default_manager.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now

    def drop(self, names: Iterable[str]) -> None:
        """Without these scopes, and with the times that follow; not saved."""
        self.scopes = {name: since for name, since in self.scopes.items() if name not in names}
        self.set_terms({})

    def set_terms(self, terms: Mapping[str, Term]) -> None:
        """These terms in place of those of the same scopes, and the times that follow; not saved.

        All of it ends when everything that was asked for has ended: a silent scope has no time of its own.
        """
        stored = {name: term for name, term in self.terms.items() if name in self.scopes and name not in terms}
        new = {name: term.stored() for name, term in terms.items() if name in self.scopes}
        self.terms = {**stored, **{name: term for name, term in new.items() if term}}
        asked = self.scopes.keys() - set(catalogue.silent(self.scopes))
        ends = [self.term_of(name).until for name in asked]
        known = [end for end in ends if end]
        self.expires_at = max(known) if known and None not in ends else None
        self.next_end_at = min(known, default=None)
