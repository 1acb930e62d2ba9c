"""A thousand rows at once (portal/models/bulk.py): the same as one by one."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, connection
from django.utils import timezone

from portal.models import ConsentDecision, InboxNotice, MiniProgram, MiniProgramGrant, User, bulk

ODD = 'it\'s "why" \t%s'


def decision(shop: MiniProgram, user: User, **fields: Any) -> ConsentDecision:
    return ConsentDecision(act=ConsentDecision.Act.REVOKED, user=user, mini_program=shop, **fields)


def test_what_differs_and_what_is_the_same_arrive_as_they_are(shop: MiniProgram, alice: User, bob: User) -> None:
    now = timezone.now()
    rows = [
        decision(shop, alice, at=now, scopes_before=["a", "b"], terms={"a": {"until": "x"}}, reason=ODD),
        decision(shop, bob, at=now - timedelta(days=1), scopes_before=[], actor=alice, reason=ODD),
    ]
    made = ConsentDecision.objects.write_all(rows)
    for row in made:
        found = ConsentDecision.objects.get(pk=row.pk)
        assert found.vouched() == row.vouched()
        assert found.mac == row.mac
    assert made[0].pk < made[1].pk


def test_no_rows_are_no_statement(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert ConsentDecision.objects.write_all([]) == []


@pytest.mark.parametrize("number", [1, 2, 1000])
def test_a_thousand_take_few_statements(
    shop: MiniProgram, alice: User, number: int, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(1 if connection.vendor == "postgresql" else 8):  # SQLite takes few values
        bulk.insert([InboxNotice(user=alice, kind="report", facts={"n": n}) for n in range(number)])
    assert sorted(notice.facts["n"] for notice in InboxNotice.objects.all()) == [*range(number)]


@pytest.mark.postgres
def test_what_is_too_long_is_refused_and_not_cut(shop: MiniProgram, alice: User) -> None:
    with pytest.raises(DataError):
        bulk.insert([InboxNotice(user=alice, kind="k" * 17)])


def test_among_is_in(shop: MiniProgram, alice: User, bob: User) -> None:
    grants = [MiniProgramGrant.objects.create(user=user, mini_program=shop, scopes={}) for user in (alice, bob)]
    found = MiniProgramGrant.objects
    assert found.get(pk__among=[grants[0].pk, "none"]) == grants[0]
    assert found.get(user_id__among=[bob.pk, 0]) == grants[1]
    assert found.filter(user_id__among=[alice.pk, bob.pk]).count() == 2
    assert not found.filter(pk__among=[]).exists()
    condition, parameters = bulk.among("id", [grants[1].pk])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT user_id FROM portal_miniprogramgrant WHERE {condition}", parameters)
        assert cursor.fetchall() == [(bob.pk,)]
