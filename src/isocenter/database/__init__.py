"""SQLite files that are no mere cache: schemas brought up to date, durable commits."""
