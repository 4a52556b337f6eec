"""churnlens: why clients leave, which segments leave and since when, from order history."""
