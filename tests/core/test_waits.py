"""What a server says about when to come back, however it says it."""

import pytest

from core.outbound import retry_after_s

CLOCK = "Sun, 22 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("0.25", 0.25),
        (" 12 ", 12.0),
        ("1e12", 1e12),
        ("Sun, 22 Nov 2026 08:01:30 GMT", 90.0),
        ("Sunday, 22-Nov-26 08:01:30 GMT", 90.0),
        ("Sun Nov 22 08:01:30 2026", 90.0),
        ("Sat, 21 Nov 2026 08:00:00 GMT", 0.0),
        *((said, None) for said in ("", "soon", "-5", "nan", "inf", "-inf", "1e999", "9" * 400, "7 seconds")),
        *((said, None) for said in ("Sat, 99 Nov 2026 00:00:00 GMT", "22 Nov 2026 99:99:99 GMT", "0x10")),
    ],
)
def test_a_number_or_a_date_is_a_hint_in_seconds_and_everything_else_is_none(said: str, expected: float | None):
    assert retry_after_s({"Retry-After": said, "Date": CLOCK}) == expected
    assert retry_after_s({"retry-after": said, "date": CLOCK}) == expected


def test_an_answer_without_the_header_has_no_hint():
    assert retry_after_s({}) is None


@pytest.mark.parametrize("clock", [{}, {"Date": "yesterday"}])
def test_a_date_counts_from_our_clock_where_the_server_does_not_tell_its_own(clock: dict[str, str]):
    found = retry_after_s({"Retry-After": "Sat, 21 Nov 2099 00:00:00 GMT", **clock})
    assert found is not None
    assert 70 * 365 * 86_400 < found < 100 * 366 * 86_400
