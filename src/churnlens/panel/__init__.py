"""Who was a client when, who left, and what they lived through before."""

from churnlens.panel.build import Book, Panel, build, open_book

__all__ = ["Book", "Panel", "build", "open_book"]
