"""What an agent may do with files, and what it is told."""
