"""How much each customer holds of products that have a limit."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS customer_purchases (
            product_id BIGINT NOT NULL,
            limit_epoch BIGINT NOT NULL,
            customer VARBINARY(128) NOT NULL,
            held BIGINT NOT NULL,
            PRIMARY KEY (product_id, limit_epoch, customer),
            FOREIGN KEY (product_id) REFERENCES products (id),
            CONSTRAINT held_not_negative CHECK (held >= 0)
        ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """
    )
