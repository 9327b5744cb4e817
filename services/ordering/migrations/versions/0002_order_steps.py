"""What happened to an order beyond the times in its row."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS order_steps (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            order_id BIGINT NOT NULL,
            step VARCHAR(24) NOT NULL,
            at DATETIME(6) NOT NULL,
            detail JSON NOT NULL,
            KEY by_order (order_id)
        )
        """
    )
