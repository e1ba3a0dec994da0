"""How figures are written: minutes whole where they are whole, else with one decimal; percent with one decimal."""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _

from licensing.limits import SECONDS

TENTH = Decimal("0.1")


def minutes(seconds: int) -> Decimal:
    """Seconds as minutes, rounded to a tenth; a whole number has no decimals."""
    exact = Decimal(seconds) / SECONDS
    tenth = exact.quantize(TENTH, ROUND_HALF_UP)
    return tenth.quantize(Decimal(1)) if exact == exact.to_integral_value() else tenth


def minutes_text(seconds: int | None) -> str:
    """Minutes with separators of thousands; no limit in words."""
    return _("Unlimited") if seconds is None else f"{minutes(seconds):,}"


def minutes_number(seconds: int) -> int:
    """What chooses the form of the word beside ``minutes_text``: a fraction takes the one of many."""
    number = minutes(seconds)
    return int(number) if number == int(number) else 2


def minutes_cell(seconds: int | None) -> str:
    """The same figure for files: digits and a decimal point alone; no limit is empty."""
    return "" if seconds is None else str(minutes(seconds))


def percent(used: int, allowed: int | None) -> Decimal | None:
    """``used`` of ``allowed`` in percent, rounded to a tenth; None without a limit; a limit of nothing is used up."""
    if allowed is None:
        return None
    exact = Decimal(100 * used) / allowed if allowed else Decimal(100)
    return exact.quantize(TENTH, ROUND_HALF_UP)


def percent_text(used: int, allowed: int | None) -> str:
    """``42.4 %``, or a dash without a limit."""
    value = percent(used, allowed)
    return "–" if value is None else f"{value:,} %"
