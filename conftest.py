pytest_plugins = ["harness.fixtures", "harness.seen"]
