"""Values' digests by content, one file a family of types."""
