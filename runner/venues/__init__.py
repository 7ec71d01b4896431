"""Does: places, queries and cancels orders where they trade, and reads the streams."""
