"""Did the remedy move the driver, and did departures fall for it."""

from churnlens.remedies.judge import find_aim, judge, judge_remedies, unread_remedies
from churnlens.remedies.outlook import Forecast, forecast
from churnlens.remedies.plan import plan_test
from churnlens.remedies.rates import ByClient
from churnlens.remedies.scope import Remedy, read_remedies

__all__ = [
    "ByClient",
    "Forecast",
    "Remedy",
    "find_aim",
    "forecast",
    "judge",
    "judge_remedies",
    "plan_test",
    "read_remedies",
    "unread_remedies",
]
