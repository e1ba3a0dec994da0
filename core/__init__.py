"""Ground floor: errors, outcomes, moves, pages, tables, files, audio, outbound guard. It has no tables."""
