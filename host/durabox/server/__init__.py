"""The HTTP edge: aiohttp in front of a `Host`."""
