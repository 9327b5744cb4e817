"""Orders: placing them, following them, cancelling them."""
