"""`make bench`: every row of docs/performance.md, measured side by side and written there.

A case is data (`cases`), the runner (`runner`) knows no case, and the families of rows are in
`rows`. Nothing here is shipped.
"""
