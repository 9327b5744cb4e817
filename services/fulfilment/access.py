"""Who may call which of fulfilment's routes. It doesn't know whose an order is, so customers ask ordering."""

from chassis.web.access import Role, Rules, roles, services

STAFF = roles(Role.STAFF)
OPERATOR = services("operator")

RULES: Rules = {
    "GET /api/v1/fulfilments/{order_id}": STAFF,
    "GET /private/dead-letters": OPERATOR,
    "POST /private/dead-letters/{letter_id}/redrive": OPERATOR,
    "DELETE /private/dead-letters/{letter_id}": OPERATOR,
}
