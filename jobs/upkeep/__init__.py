"""What keeps records and history in order beside the passes."""
