"""What is wrong with an installation, and what to type to mend it. It only looks.

One function for each thing that can be wrong, in rooms by subject; each is given a `Case` and tells
`Finding`s. Other apps add theirs (`register`). Without `deep` no function's cost grows with the
number of entries.
"""
