"""The OpenAI API: its requests, its answers and its errors, served by our models."""
