"""Who may call which of catalog's routes."""

from chassis.web.access import ANYBODY, Role, Rules, roles, services

STAFF = roles(Role.STAFF)
ORDERING = services("ordering")

RULES: Rules = {
    "GET /api/v1/products": ANYBODY,
    "GET /api/v1/products/{product_id}": ANYBODY,
    "GET /api/v1/products/{product_id}/stock-movements": STAFF,  # they name orders
    "POST /api/v1/products": STAFF,
    "PUT /api/v1/products/{product_id}": STAFF,
    "DELETE /api/v1/products/{product_id}": STAFF,
    "POST /api/v1/products/{product_id}/stock-adjustments": STAFF,
    "POST /private/reservations": ORDERING,
    "GET /private/reservations": ORDERING,
    "POST /private/reservations/held": ORDERING,
    "POST /private/releases": ORDERING,
    "GET /private/stock-proof": ORDERING,
}
