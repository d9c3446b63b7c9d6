"""The service's handles of its workers: what they tell, whether they move, and their ends."""
