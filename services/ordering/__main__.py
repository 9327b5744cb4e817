from chassis.process.serve import main

main("ordering", {"api": 8102, "worker": 8120})
