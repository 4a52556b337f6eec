"""Did the remedy move the driver, and did departures fall for it."""

from churnlens.remedies.judge import find_aim, judge, judge_remedies
from churnlens.remedies.scope import Remedy, read_remedies

__all__ = ["Remedy", "find_aim", "judge", "judge_remedies", "read_remedies"]
