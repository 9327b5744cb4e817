"""The step, as a Celery task."""

import os
import time

from celery import Celery  # type: ignore[import-not-found] # in the virtualenv of the benchmark alone

from bench.usual.database import THREADS, Order, Session

STEP_SECONDS = 5

celery = Celery("usual", broker=os.environ["USUAL_REDIS_URL"])
celery.conf.update(task_ignore_result=True, broker_pool_limit=THREADS, broker_connection_retry_on_startup=True)


def _process(order_id: int) -> None:
    time.sleep(STEP_SECONDS)
    with Session.begin() as session:
        session.get_one(Order, order_id).state = "fulfilled"


process = celery.task(_process, name="process")
