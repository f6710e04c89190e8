"""What a verb is, which there are, and how tables look."""
