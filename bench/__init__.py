"""`python -m bench`: how fast the system is, against a route that does nothing and against the usual design."""
