"""Open a source through Ibis; check the contract; accepted rows and rejects."""

from churnlens.tables import guess, quality, rejects
from churnlens.tables.model import TABLE_NAMES, Tables
from churnlens.tables.opening import open_source, orders_placed

__all__ = ["TABLE_NAMES", "Tables", "guess", "open_source", "orders_placed", "quality", "rejects"]
