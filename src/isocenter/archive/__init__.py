"""What an archive adds to the standard: packs, index, ingest, query."""
