"""Every change of a stock, append only."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS stock_movements (
            id BIGINT NOT NULL AUTO_INCREMENT,
            product_id BIGINT NOT NULL,
            kind VARCHAR(16) NOT NULL,
            delta BIGINT NOT NULL,
            stock BIGINT NOT NULL,
            order_id BIGINT,
            reason VARCHAR(255),
            actor VARCHAR(128),
            created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            PRIMARY KEY (id),
            KEY by_product (product_id),
            FOREIGN KEY (product_id) REFERENCES products (id)
        ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """
    )
