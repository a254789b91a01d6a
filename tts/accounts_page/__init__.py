"""The page of accounts in the admin: what speech cost and saved, what is wrong, and what to do."""
