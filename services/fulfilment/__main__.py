from chassis.process.serve import main

main("fulfilment", {"api": 8103, "worker": 8130})
