"""Events: written with a commit, sent to a Redis stream, read from one."""
