"""An object's past: what every commit changed, kept beside the database so that any of its states can be had back.

`recorder.Recorder` keeps it, one for each object; `rebuild` makes a file of an earlier state; docs/internals.md has
the layout.
"""
