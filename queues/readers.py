"""Who reads a queue. Jobs stand above queues: they are asked by the dotted path ``QUEUE_READERS`` of the settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from queues.models import ProcessingQueue


@dataclass(frozen=True, slots=True)
class Reader:
    """A job that reads a queue: its name and page, its state as a badge shows it, whether it takes records."""

    name: str
    url: str
    state: str
    label: str
    reads: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The jobs that read one queue, and how many of their records are dead letters that the viewer may see.

    Dead letters are counted up to ``most`` a job and no further. ``feeders`` publish to the queue after success.
    """

    readers: tuple[Reader, ...] = ()
    feeders: tuple[Reader, ...] = ()
    dead: int = 0
    most: int = 0

    @property
    def dead_label(self) -> str:
        """The number, or that there are more."""
        return f"{self.dead:,}+" if self.most and self.dead >= self.most else f"{self.dead:,}"

    def warnings(self, queue: ProcessingQueue) -> list[str]:
        """What is wrong with the queue, in sentences."""
        return self.about_filling(queue) + self.about_reading()

    def about_filling(self, queue: ProcessingQueue) -> list[str]:
        """Nothing fills the queue."""
        if queue.events:
            return []
        if not self.feeders:
            return [_("Nothing fills this queue: it has no event, and no job publishes to it.")]
        if not any(feeder.reads for feeder in self.feeders):
            return [_("Nothing fills this queue: it has no event, and the jobs that publish to it are disabled.")]
        return []

    def about_reading(self) -> list[str]:
        """Nobody takes anything, or several take it away from each other."""
        if not self.readers:
            return [_("No job reads this queue.")]
        taking = sum(reader.reads for reader in self.readers)
        if not taking:
            return [_("No job that is enabled reads this queue.")]
        if taking == 1:
            return []
        return [_("%(n)s jobs read this queue: each record goes to one of them only.") % {"n": taking}]


def readings(user: Any) -> Mapping[int, Reading]:
    """For each queue that is read, by its id; a queue that is not in it has no reader."""
    ask: Callable[[Any], Mapping[int, Reading]] = import_string(settings.QUEUE_READERS)
    return ask(user)
