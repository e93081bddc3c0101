"""What stands between people and the bucket: which names they may ask for, who may see what, and its bytes."""
