"""Events not yet on the stream."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS outbox (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            order_id BIGINT NOT NULL,
            revision INT NOT NULL,
            type VARCHAR(64) NOT NULL,
            payload MEDIUMBLOB NOT NULL,
            claimed_until DATETIME(6)
        )
        """
    )
