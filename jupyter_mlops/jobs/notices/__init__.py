"""Word of how runs ended, to webhooks, mail and commands."""
