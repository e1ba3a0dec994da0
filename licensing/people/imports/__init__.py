"""Users from a CSV file: read, plan (the dry run), apply. The file is not kept: for applying it is sent again."""
