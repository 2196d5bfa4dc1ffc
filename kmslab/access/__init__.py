"""Who may do what with a deployed lab: its policies read once from a target, and questions answered from them.

Nothing here changes the target. The decisions are those of `kmslab.authorization`, which the local engine
decides with as well.
"""
