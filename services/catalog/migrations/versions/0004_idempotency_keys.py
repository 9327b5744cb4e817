"""Answers recorded under their Idempotency-Key."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS idempotency_keys (
            request_key VARBINARY(255) NOT NULL,
            caller VARBINARY(128) NOT NULL,
            fingerprint BINARY(32) NOT NULL,
            answer MEDIUMBLOB NOT NULL,
            created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            PRIMARY KEY (request_key, caller)
        ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """
    )
