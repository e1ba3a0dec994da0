"""Switching rows: those that are so already are left alone, and nobody overwrites what somebody else was quicker with."""

import pytest
from django.db import transaction

from core.errors import Conflict
from core.moves import switch
from transcription.languages.models import Language

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    made = [("Upper", "x-upper", True), ("Lower", "x-lower", True), ("Off", "x-off", False)]
    return [Language.objects.create(name=name, code=code, enabled=enabled) for name, code, enabled in made]


def test_only_rows_with_the_other_value_change_and_their_versions_go_up(rows):
    assert switch(rows, "enabled", False) == rows[:2]
    stored = Language.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk")
    assert [(row.enabled, row.version) for row in stored] == [(False, 2), (False, 2), (False, 1)]
    assert switch(Language.objects.filter(pk=rows[0].pk), "enabled", False) == []


def test_a_row_that_somebody_switched_in_the_meantime_refuses_the_whole(rows):
    Language.objects.filter(pk=rows[1].pk).update(enabled=False)
    with pytest.raises(Conflict), transaction.atomic():
        switch(rows, "enabled", False)
    assert Language.objects.get(pk=rows[0].pk).enabled
