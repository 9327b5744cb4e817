from chassis.serve import main

main("catalog", {"api": 8101})
