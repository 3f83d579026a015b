"""The audit trail of PS3.15 A.5 and A.6: who did what with whose images, kept and passed on."""
