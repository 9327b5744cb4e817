from chassis.serve import main
from ordering import api, settings, worker

main("ordering", migrate=settings.migrate, api=api.build, port=8102, worker=worker.build, worker_port=8120)
