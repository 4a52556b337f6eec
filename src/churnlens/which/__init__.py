"""Which segments leave more than they used to, and since when?"""
