"""Up to which arrival rate does an endpoint keep its objectives, and how many of it does a wanted rate need?"""
