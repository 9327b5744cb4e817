"""Plumbing without business nouns, shared by all services."""
