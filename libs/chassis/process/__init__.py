"""What keeps a process going: serving, loops, a heartbeat, logs."""
