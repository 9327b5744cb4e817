"""The usual design of such a system, at its best: one FastAPI app, SELECT … FOR UPDATE per order, Celery for the step."""
