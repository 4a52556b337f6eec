"""The pages of the report: one module a part, each from a `Review` to plain dicts."""
