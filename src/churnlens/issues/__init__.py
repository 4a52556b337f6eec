"""Findings become ranked issues with an identity, remedies that fit, and a history."""
