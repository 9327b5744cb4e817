"""Stream entries that could not be handled."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS dead_letters (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            stream VARCHAR(64) NOT NULL,
            entry_id VARCHAR(64) NOT NULL,
            fields LONGTEXT NOT NULL,
            size BIGINT NOT NULL,
            sha256 CHAR(64),
            reason VARCHAR(1000) NOT NULL,
            created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            UNIQUE KEY one_per_entry (stream, entry_id)
        )
        """
    )
