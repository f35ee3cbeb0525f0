"""Readers of workflow files: text in, `Workflow` out. They know no engine and no store."""
