from chassis.serve import main
from fulfilment import api, settings, worker

main("fulfilment", migrate=settings.migrate, api=api.build, port=8103, worker=worker.build, worker_port=8130)
