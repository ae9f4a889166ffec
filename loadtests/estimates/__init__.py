"""What noisy measurements say: a threshold, a ratio, a trend, each with how sure one can be. Pure arithmetic on arrays.

Nothing here knows servers, requests or files, so each estimate is tested on thousands of invented data sets.
"""
