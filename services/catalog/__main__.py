from chassis.process.serve import main

main("catalog", {"api": 8101})
