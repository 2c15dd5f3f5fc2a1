"""Objects' databases, over APSW. Knows neither JavaScript nor HTTP."""
