"""How is the database opened, and which tables has it? Connections, migrations, API tokens."""
