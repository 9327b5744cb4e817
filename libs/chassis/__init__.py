"""Plumbing, shared by all services: it knows no order, product or reservation."""
