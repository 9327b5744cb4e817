"""Orders, each in one row with its request key."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS orders (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            request_key VARBINARY(255) NOT NULL,
            customer VARBINARY(128) NOT NULL DEFAULT '',
            request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
            fingerprint BINARY(32) NOT NULL,
            state VARCHAR(16) NOT NULL,
            revision INT NOT NULL DEFAULT 1,
            items JSON NOT NULL,
            expected_total DECIMAL(16, 2),
            total DECIMAL(16, 2),
            unit_prices VARCHAR(1200) CHARACTER SET ascii COLLATE ascii_bin,
            refusal VARCHAR(12000) CHARACTER SET ascii COLLATE ascii_bin,
            created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            reserved_at DATETIME(6),
            decided_at DATETIME(6),
            due_at DATETIME(6),
            announced_at DATETIME(6),
            taken_at DATETIME(6),
            fulfilled_at DATETIME(6),
            fulfilled_by CHAR(32),
            tries JSON,
            cancel_forced BOOL NOT NULL DEFAULT 0,
            listed BOOL GENERATED ALWAYS AS (state <> 'rejected') VIRTUAL,
            UNIQUE KEY request_key (request_key, customer),
            KEY by_customer (customer),
            KEY by_state (state),
            KEY by_listed (listed)
        )
        """
    )
