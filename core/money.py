"""How tokens, money and shares are written. Pure functions."""

from collections.abc import Mapping
from decimal import Decimal

MICRO = Decimal(1_000_000)
CENT, SMALL = Decimal("0.01"), Decimal("0.000001")


def money_text(micros: int, currency: str) -> str:
    """``1,234.56 EUR``; below one unit with up to six decimals, so that a request does not cost nothing."""
    return f"{money_number(micros)} {currency}".strip()


def money_number(micros: int) -> str:
    """As ``money_text``, without the currency."""
    amount = micros / MICRO
    if amount == 0 or amount >= 1:
        return f"{amount.quantize(CENT):,}"
    digits = f"{amount.quantize(SMALL):f}".rstrip("0")
    return digits if len(digits) >= 4 else f"{amount.quantize(CENT)}"


def money_cell(micros: int) -> str:
    """Digits and a decimal point alone, exact, for files."""
    return f"{(micros / MICRO).quantize(SMALL):f}"


def sums_text(sums: Mapping[str, int]) -> str:
    """Amounts of several currencies side by side: they are never added. A dash without any."""
    found = [money_text(micros, currency) for currency, micros in sorted(sums.items()) if currency]
    return " + ".join(found) or "–"


def share(part: int, whole: int) -> str:
    """``12.5 %``, or a dash of nothing."""
    return f"{100 * part / whole:,.1f} %" if whole else "–"
