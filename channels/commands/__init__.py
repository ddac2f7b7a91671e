"""What is typed at a terminal: one module for each `capp` command."""
