"""The journal of calls: the last requests to each speech engine, without text, names, addresses or secrets."""
