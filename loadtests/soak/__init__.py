"""Does an endpoint stay as it is for hours: memory, descriptors, queue, latency?"""
