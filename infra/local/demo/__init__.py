"""The demo: plays what the system promises against the running one, and says whether it is true."""
