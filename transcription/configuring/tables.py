"""The table of prices of a speech engine."""

from django.utils.translation import gettext_lazy

from engines.tables import PriceColumn, PriceTable


class SpeechPriceTable(PriceTable):
    """With the price of a minute."""

    per_minute = PriceColumn(verbose_name=gettext_lazy("Price per minute"))

    class Meta(PriceTable.Meta):
        sequence = ("valid_from", "holds", "currency", "per_minute", "actions")
