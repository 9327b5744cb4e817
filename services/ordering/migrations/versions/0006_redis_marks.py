"""By what the Redis server was known when last seen."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS redis_marks (
            id INT NOT NULL PRIMARY KEY,
            run_id VARCHAR(64) NOT NULL,
            mark VARCHAR(64) NOT NULL,
            made_due_up_to BIGINT
        )
        """
    )
