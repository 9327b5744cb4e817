"""The whole system under load, broken on a seeded schedule, healed, and checked from outside."""
