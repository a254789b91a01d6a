"""A module of a site's that cannot be imported, for what settings name."""

raise RuntimeError("s3cret")
