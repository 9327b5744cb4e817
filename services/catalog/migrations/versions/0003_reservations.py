"""What was asked for an order and what was decided."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS reservations (
            order_id BIGINT NOT NULL,
            state VARCHAR(16) NOT NULL,
            request LONGTEXT NOT NULL,
            outcome LONGTEXT NOT NULL,
            released_at DATETIME(6),
            PRIMARY KEY (order_id)
        ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """
    )
