"""An app that puts a quick `flush` in the place of Django's, for tests that commit.

Django's truncates every table and makes all content types and permissions anew: 40 ms a test.
"""
