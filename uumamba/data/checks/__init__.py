"""What can be wrong with the files of a data set: one concept per file.

`reading` checks one case, `facts` keeps what the checks across cases need of it, `across` makes these checks.
"""
