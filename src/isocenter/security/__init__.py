"""PS3.15: who may do what, who they are, what they did, and the channel they say it over."""
