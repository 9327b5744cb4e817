"""Generated attacks: requests made from the OpenAPI documents, sent to the whole system with tokens on."""
