"""Deleting objects: hidden at once, taken out of the packs, and in the end overwritten.

A deletion goes through these states, and after a kill at any point it goes on where it was:

1. *hidden*. Which records it is about is noted durably in a folder of its own in `trash/`; then
   their rows leave the index, and quarantined copies the quarantine. From the note on, recovery and
   `reindex` treat those records as if they were not there.
2. *taken out*. A pack that holds nothing else moves into the trash. From any other pack the records
   are copied there, and the pack itself gets a void of the same size in their place, so nothing
   that stays is ever written or moved.
3. *purged*, when it can no longer be brought back: everything in the folder is overwritten and
   removed, and so is what the databases' free space still tells; or *restored*.
"""
