"""Lightwell: public aggregate counts on the online sexual exploitation of children, each traceable to its page.

In a notebook:

    import lightwell

    con = lightwell.connect()  # the current release, read-only, a DuckDB connection
    lightwell.trend("cybertip_reports", by="ref_area", where="ref_area = 'PHL'")  # a DataFrame
    lightwell.query("FROM reports_by_organisation WHERE year = 2022")  # a DataFrame
    lightwell.cite("b2485aaaa9f99497")  # where that number was printed

The data home is $LIGHTWELL_HOME, else ./warehouse; every function takes another as `home`.
"""

from lightwell.notebook import cite, connect, query, trend

__version__ = "0.1.0"
__all__ = ["cite", "connect", "query", "trend"]
