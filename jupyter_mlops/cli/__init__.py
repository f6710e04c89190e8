"""`jupyter mlops`: parse, call, show."""
