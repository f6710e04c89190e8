"""The index as a database: its tables, its migrations, and what SQLite and PostgreSQL do differently."""
