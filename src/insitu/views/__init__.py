"""What hangs on a document: each view turns its own terms into pending edits."""
