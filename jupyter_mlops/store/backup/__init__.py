"""What is known of the index outside of it, so that a lost one is noticed and made again."""
