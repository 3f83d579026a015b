"""PS3.8: PDUs, the association state machine, and the drivers that move their bytes."""
