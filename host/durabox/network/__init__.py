"""Other servers over real connections: the policy of which may be reached, and the exchanges with them."""
