"""MySQL: transactions, many rows at once, its clock, migrations."""
