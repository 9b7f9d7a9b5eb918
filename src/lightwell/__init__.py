"""Lightwell: public aggregate counts on the online sexual exploitation of children, each traceable to its page."""

__version__ = "0.1.0"
