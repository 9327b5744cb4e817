"""HTTP: strict requests in, problem documents out."""
