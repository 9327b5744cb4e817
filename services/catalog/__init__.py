"""Products and their stock. Stock is locked in one place: `reserve_stock`."""
