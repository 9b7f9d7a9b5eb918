"""PDF tables to figures."""
