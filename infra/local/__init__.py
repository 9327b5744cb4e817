"""The system without Docker: the same servers and processes as in compose, started here under a process manager."""
