"""PS3.4: one file per service class, user (SCU) and provider (SCP) side by side."""
