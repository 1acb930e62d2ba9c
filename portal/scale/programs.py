"""What a made-up super-app offers: mini-programs of merchants, few of which most people use."""

import random
from dataclasses import dataclass
from datetime import timedelta

from portal import scopes
from portal.models import Merchant, MiniProgram, ScopeApproval, Sector
from portal.scale.size import STRETCH

HEAD = (0.15, 0.12, 0.10)  # what the three most used ones, of one merchant, have of all grants
AT_FIRST = 0.4  # of the mini-programs were there from the beginning


@dataclass(frozen=True)
class Program:
    """One of them: its key, names, weight among all, and after which part of the two years it began."""

    pk: int
    app_id: str
    client_id: str
    weight: float
    begun: float


def load(number: int, merchants: int, chance: random.Random) -> list[Program]:
    """The most used one first; each three of them, or as many as it takes, belong to one merchant."""
    shops = [_merchant(place) for place in range(merchants)]
    weights = _weights(number)
    found = []
    for place in range(number):
        merchant = shops[min(place // max(number // merchants, 1), merchants - 1)]
        client_id = f"scale-{place:03}"
        row = MiniProgram(client_id=client_id, name=f"Scale {place}", merchant=merchant, developer=merchant.name)
        row.save()
        begun = 0.0 if place < len(HEAD) or chance.random() < AT_FIRST else chance.random() * 0.97
        MiniProgram.objects.filter(pk=row.pk).update(created=row.created - STRETCH + begun * STRETCH)
        found.append(Program(row.pk, client_id, merchant.client_id, weights[place], begun))
    _approve([program.pk for program in found])
    return found


def _weights(number: int) -> list[float]:
    tail = [1 / (place + 3) for place in range(max(number - len(HEAD), 0))]
    share = (1 - sum(HEAD)) / (sum(tail) or 1)
    return [*HEAD, *(weight * share for weight in tail)][:number]


def _merchant(place: int) -> Merchant:
    sector = Sector.objects.create(name=f"scale sector {place:03}")
    client_id = f"SCALE_MERCHANT_{place:03}"
    made = Merchant.objects.create(client_id=client_id, name=f"Scale Merchant {place}", sector=sector)
    Merchant.objects.filter(pk=made.pk).update(created=made.created - STRETCH - timedelta(days=1))
    return made


def _approve(programs: list[int]) -> None:
    ScopeApproval.objects.bulk_create(
        (
            ScopeApproval(mini_program_id=program, scope=scope, purpose="To serve you", state="APPROVED")
            for program in programs
            for scope in scopes.catalogue()
        ),
        batch_size=1000,
    )
