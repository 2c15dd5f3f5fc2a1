"""Objects' storage: one SQLite file for each object, in the layout that workerd reads and writes.

Knows neither JavaScript nor HTTP. `directory.StateDirectory` owns a folder of such files and hands out
`database.ObjectDatabase`, one for each live object.
"""
