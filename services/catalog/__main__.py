from catalog import api, settings
from chassis.serve import main

main("catalog", migrate=settings.migrate, api=api.build, port=8101)
