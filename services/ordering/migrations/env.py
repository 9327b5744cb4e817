from chassis.migrations import run_revisions

run_revisions()
