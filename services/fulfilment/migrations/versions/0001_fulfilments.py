"""One row per order taken over."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS fulfilments (
            order_id BIGINT NOT NULL PRIMARY KEY,
            revision INT NOT NULL,
            state VARCHAR(16) NOT NULL,
            owner CHAR(32),
            fence INT NOT NULL DEFAULT 0,
            failures INT NOT NULL DEFAULT 0,
            items JSON NOT NULL,
            reason VARCHAR(1000),
            request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
            announced_at DATETIME(6),
            taken_at DATETIME(6),
            started_at DATETIME(6),
            decided_at DATETIME(6),
            KEY by_state_and_owner (state, owner)
        )
        """
    )
