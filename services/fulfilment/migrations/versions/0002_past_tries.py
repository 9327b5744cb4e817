"""Tries that ended without fulfilling the order."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS past_tries (
            order_id BIGINT NOT NULL,
            fence INT NOT NULL,
            worker CHAR(32) NOT NULL,
            started_at DATETIME(6) NOT NULL,
            ended_at DATETIME(6),
            result VARCHAR(16) NOT NULL,
            reason VARCHAR(1000),
            PRIMARY KEY (order_id, fence)
        )
        """
    )
