"""A server of the offline-task API, as of the Meeting Insights On-Prem guide."""

from transcription.engines.miaop.engine import OfflineTaskEngine

__all__ = ["OfflineTaskEngine"]
