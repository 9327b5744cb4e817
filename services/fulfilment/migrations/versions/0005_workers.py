"""One heartbeat per living worker."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS workers (
            id CHAR(32) NOT NULL PRIMARY KEY,
            host VARCHAR(64) NOT NULL,
            started_at DATETIME(6) NOT NULL,
            beat_at DATETIME(6) NOT NULL
        )
        """
    )
