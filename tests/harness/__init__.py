"""What the tests share: real servers, empty schemas, and the whole system as real processes."""
