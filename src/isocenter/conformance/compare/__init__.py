"""Two nodes side by side: what one can send to the other, and whether claims are true."""
