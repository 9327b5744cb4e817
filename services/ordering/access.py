"""Who may call which of ordering's routes."""

from chassis.web.access import ANYBODY, Role, Rules, roles, services

CUSTOMERS = roles(Role.CUSTOMER)
STAFF = roles(Role.STAFF)
BOTH = roles(Role.CUSTOMER, Role.STAFF)  # a customer sees and cancels his own
OPERATOR = services("operator")

RULES: Rules = {
    "GET /health": ANYBODY,
    "POST /api/v1/orders": CUSTOMERS,
    "GET /api/v1/orders": BOTH,
    "GET /api/v1/orders/{order_id}": BOTH,
    "GET /api/v1/orders/{order_id}/timeline": BOTH,
    "POST /api/v1/orders/{order_id}/cancel": BOTH,
    "POST /api/v1/orders/{order_id}/redrive": STAFF,
    "POST /private/orders/{order_id}/redrive": OPERATOR,
    "POST /private/orders/{order_id}/cancel": OPERATOR,
    "POST /private/orders/{order_id}/announce": OPERATOR,
    "GET /private/stock-proof": OPERATOR,
    "GET /private/dead-letters": OPERATOR,
    "POST /private/dead-letters/{letter_id}/redrive": OPERATOR,
    "DELETE /private/dead-letters/{letter_id}": OPERATOR,
}
