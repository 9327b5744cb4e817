"""Products; a deleted one keeps its row."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS products (
            id BIGINT NOT NULL AUTO_INCREMENT,
            name VARCHAR(255) NOT NULL,
            price NUMERIC(9, 2) NOT NULL,
            stock BIGINT NOT NULL,
            max_per_customer BIGINT,
            limit_epoch BIGINT NOT NULL DEFAULT 0,
            version BIGINT NOT NULL DEFAULT 1,
            created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            deleted_at DATETIME(6),
            PRIMARY KEY (id),
            CONSTRAINT stock_not_negative CHECK (stock >= 0)
        ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """
    )
