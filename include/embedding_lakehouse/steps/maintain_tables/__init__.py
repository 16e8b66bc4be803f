"""Keep the tables small: compact, let go what nobody needs any more, and say before and after what that was."""
