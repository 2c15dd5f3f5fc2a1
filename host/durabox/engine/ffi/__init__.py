"""Wasmtime through its C interface; the only package that touches ctypes.

The published wheel's library is used directly because entering a guest through the Python package's own objects costs
thirty microseconds, and through these modules two; nor is that package imported, which takes as long as the library's own start.
Facts relied on here, checked by ``tests/engine/test_ffi.py``:

* A raw argument of a host function is 16 bytes wide (it can hold a v128); results overwrite the first one.
* ``wasmtime_context_epoch_deadline_async_yield_and_update`` returns nothing (the package's binding says otherwise).
* An instance may be made synchronously as long as its store does not yield yet.
* With the pooling allocator a memory never moves while it grows.
"""
