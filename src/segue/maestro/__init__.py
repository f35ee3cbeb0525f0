"""What the original `maestro` command keeps beside the run: study folders, tables, generators."""
