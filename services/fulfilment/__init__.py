"""Working orders off: each is taken over durably, processed, and its outcome told, once in effect."""
