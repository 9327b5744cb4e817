"""Batches of events, each until it is done with."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS outbox (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            payload MEDIUMBLOB NOT NULL,
            sent INT NOT NULL DEFAULT 0,
            due_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            KEY by_due (sent, due_at)
        )
        """
    )
